"""Gelu: the operator of the node's family and the per-channel requantization of its output."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from intvit.numerics import common_shift
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.gelu_erf import gelu_fitted, gelu_quartic, gelu_square
from intvit.quantize.lower.gelu_fixed import gelu_polynomial, gelu_table
from intvit.quantize.lower.gelu_form import GeluForm
from intvit.quantize.lower.gelu_shift import gelu_shift
from intvit.quantize.lower.linear import output_codes, output_encoding
from intvit.quantize.recipe import DEFAULT_SPREAD, find_choice

GELUS: dict[str, Callable[[Context, FloatNode, Lowered], GeluForm]] = {
    "polynomial": gelu_polynomial,
    "table": gelu_table,
    "shift": gelu_shift,
    "i-bert": gelu_square,
    "quartic": gelu_quartic,
    "quartic-fitted": gelu_fitted,
}
"""What `Recipe.gelu` may say."""


def lower_gelu(context: Context, node: FloatNode) -> None:
    """Lower `Gelu`; the tanh spelling differs from the exact one by at most 5e-4 and gets the same operator."""
    source = context.stream(node.inputs[0])
    form = find_choice(GELUS, "gelu", context.family(node))(context, node, source)
    context.spreads.setdefault(node.output, DEFAULT_SPREAD)
    encoding = output_encoding(context, node.output, len(context.graph.shapes[node.output]))
    multipliers, shift = common_shift([form.step / Fraction(float(s)) for s in encoding.scale.reshape(-1)])
    constants = {"multiplier": np.array(multipliers, np.int32), **form.constants}
    names = [context.builder.constant(f"{node.name}.{name}", array) for name, array in constants.items()]
    op = form.make(shift=shift, **output_codes(encoding))
    context.set(node.output, context.emit(node.name, op, source.name, *names), encoding)
