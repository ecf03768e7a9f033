"""LayerNormalization: gamma, beta, per-channel scales and zero points become one integer affine map."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from intvit.ir import Op
from intvit.numerics import common_shift
from intvit.ops import LayerNorm, LayerNormNewton
from intvit.ops.layer_norm import FRACTION_BITS
from intvit.ops.layer_norm_newton import VALUE_BITS
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.linear import output_encoding
from intvit.quantize.lower.two_scale import narrow_layer_norm_input, outlier_output_encoding
from intvit.quantize.recipe import find_choice

Form = tuple[Fraction, Callable[..., Op]]
"""The real value of one step of the normalized value, and what makes the operator from `shift` and its output's attributes."""


def exact(node: FloatNode, source: Lowered, channels: int) -> Form:
    """Return the form of `LayerNorm`."""
    step = float(source.encoding.scale.reshape(-1)[0])
    epsilon = max(1, round(float(node.attributes.get("epsilon", 1e-5)) * (channels / step) ** 2))
    return Fraction(1, 1 << FRACTION_BITS), functools.partial(LayerNorm, epsilon=epsilon)


def newton(node: FloatNode, source: Lowered, channels: int) -> Form:
    """Return the form of `LayerNormNewton`, which has no epsilon."""
    return Fraction(math.sqrt(channels)) / (1 << VALUE_BITS), LayerNormNewton


LAYER_NORMS: dict[str, Callable[[FloatNode, Lowered, int], Form]] = {"exact": exact, "newton": newton}
"""What `Recipe.layer_norm` may say."""


def lower_layer_norm(context: Context, node: FloatNode) -> None:
    """Lower `LayerNormalization` over the last axis."""
    source = context.stream(node.inputs[0])
    gamma, beta = (context.graph.constants[name].astype(np.float64) for name in node.inputs[1:3])
    channels = len(gamma)
    if context.recipe.norm_input_bits < 16:
        source = narrow_layer_norm_input(context, node, source, gamma)
    unit, make = find_choice(LAYER_NORMS, "layer_norm", context.recipe.layer_norm)(node, source, channels)
    outliers = outlier_output_encoding(context, node.output) if context.recipe.outlier_channels else None
    encoding = outliers or output_encoding(context, node.output, len(context.graph.shapes[node.output]))
    scale = np.broadcast_to(encoding.scale.reshape(-1), (channels,))
    zero_point = np.broadcast_to(encoding.zero_point.reshape(-1), (channels,))
    offset = beta / scale + zero_point
    room = 59 - int(np.ceil(np.log2(np.abs(offset).max() + 1)))
    multipliers, shift = common_shift([Fraction(float(g)) * unit for g in gamma / scale], max_shift=room)
    bias = [round(Fraction(float(o)) * (1 << shift)) for o in offset]
    op = make(to=encoding.dtype, low=encoding.low, high=encoding.high, shift=shift)
    inputs = (
        source.name,
        context.builder.constant(f"{node.name}.multiplier", np.array(multipliers, np.int32)),
        context.builder.constant(f"{node.name}.bias", np.array(bias, np.int64)),
    )
    context.set(node.output, context.emit(node.name, op, *inputs), encoding)
