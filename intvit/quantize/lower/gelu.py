"""Gelu: the operator of the node's family and the per-channel requantization of its output."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from intvit.numerics import S32, common_shift
from intvit.ops.gelu import VALUE_BITS
from intvit.quantize.encoding import per_tensor
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.gelu_erf import gelu_fitted, gelu_quartic, gelu_square
from intvit.quantize.lower.gelu_fixed import gelu_byte_table, gelu_polynomial, gelu_table
from intvit.quantize.lower.gelu_form import GeluForm
from intvit.quantize.lower.gelu_shift import gelu_shift
from intvit.quantize.lower.linear import output_codes, output_encoding
from intvit.quantize.lower.two_scale import encode_gelu, two_scale_reader
from intvit.quantize.recipe import DEFAULT_SPREAD, find_choice

GELUS: dict[str, Callable[[Context, FloatNode, Lowered], GeluForm]] = {
    "polynomial": gelu_polynomial,
    "table": gelu_table,
    "byte-table": gelu_byte_table,
    "shift": gelu_shift,
    "i-bert": gelu_square,
    "quartic": gelu_quartic,
    "quartic-fitted": gelu_fitted,
}
"""What `Recipe.gelu` may say."""


def lower_gelu(context: Context, node: FloatNode) -> None:
    """Lower `Gelu`; the tanh spelling differs from the exact one by at most 5e-4 and gets the same operator."""
    source = context.stream(node.inputs[0])
    context.spreads.setdefault(node.output, DEFAULT_SPREAD)
    rank, reader = len(context.graph.shapes[node.output]), two_scale_reader(context, node.output)
    encoding = per_tensor(S32, 2.0**-VALUE_BITS, rank) if reader else output_encoding(context, node.output, rank)
    family = context.family(node)
    # Beside codes of 16 bits, bytes would be what rounds most.
    if family == "byte-table" and encoding.dtype.bits > 8:
        family = "polynomial"
    form = find_choice(GELUS, "gelu", family)(context, node, source)
    steps = [form.step / Fraction(float(s)) for s in encoding.scale.reshape(-1)]
    multipliers, shift = common_shift(steps, form.multiplier_bits)
    constants = {"multiplier": np.array(multipliers, np.int32), **form.constants}
    names = [context.builder.constant(f"{node.name}.{name}", array) for name, array in constants.items()]
    op = form.make(shift=shift, **output_codes(encoding))
    name = context.emit(node.name, op, source.name, *names)
    if reader:
        encode_gelu(context, node, name, reader)
    else:
        context.set(node.output, name, encoding)
