"""Gelu: fixed-point GELU and the per-channel requantization of its output."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Op
from intvit.numerics import S32, common_shift
from intvit.ops import GeluPolynomial, GeluTable
from intvit.ops.gelu import TAIL, VALUE_BITS
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.quantize.encoding import per_tensor
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context
from intvit.quantize.lower.linear import output_codes, output_encoding
from intvit.quantize.lower.two_scale import encode_gelu, two_scale_reader
from intvit.quantize.recipe import DEFAULT_SPREAD

TABLE_BITS = 12


def lower_gelu(context: Context, node: FloatNode) -> None:
    """Lower `Gelu`; the tanh spelling differs from the exact one by at most 5e-4 and gets the same operator."""
    source = context.values[node.inputs[0]]
    fraction_bits = round(-math.log2(float(source.encoding.scale.reshape(-1)[0])))
    context.spreads.setdefault(node.output, DEFAULT_SPREAD)
    rank, reader = len(context.graph.shapes[node.output]), two_scale_reader(context, node.output)
    encoding = per_tensor(S32, 2.0**-VALUE_BITS, rank) if reader else output_encoding(context, node.output, rank)
    gains = [Fraction(1, 1 << VALUE_BITS) / Fraction(float(s)) for s in encoding.scale.reshape(-1)]
    multipliers, shift = common_shift(gains)
    multiplier = context.builder.constant(f"{node.name}.multiplier", np.array(multipliers, np.int32))
    inputs: tuple[str, ...]
    if context.recipe.gelu == "table":
        index_shift = max(0, fraction_bits + TAIL.bit_length() - 1 - TABLE_BITS)
        table = context.builder.constant(f"{node.name}.table", bump_table(fraction_bits, index_shift))
        inputs = (source.name, multiplier, table)
        op: Op = GeluTable(fraction_bits=fraction_bits, index_shift=index_shift, shift=shift, **output_codes(encoding))
    else:
        inputs = (source.name, multiplier)
        op = GeluPolynomial(fraction_bits=fraction_bits, coefficients=DEGREE_8, shift=shift, **output_codes(encoding))
    name = context.emit(node.name, op, *inputs)
    if reader:
        encode_gelu(context, node, name, reader)
    else:
        context.set(node.output, name, encoding)


def bump_table(fraction_bits: int, index_shift: int) -> NDArray[Any]:
    """Return `2^15 t Phi(-t)` at the middle of every entry's range, s16."""
    entries = TAIL << (fraction_bits - index_shift)
    middle = (np.arange(entries) + (0.5 - 0.5 / (1 << index_shift))) * 2.0 ** (index_shift - fraction_bits)
    bump = [t * 0.5 * math.erfc(t / math.sqrt(2)) for t in middle]
    return np.floor(np.array(bump) * (1 << VALUE_BITS) + 0.5).astype(np.int16)
