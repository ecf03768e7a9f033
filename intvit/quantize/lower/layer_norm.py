"""LayerNormalization: gamma, beta, per-channel scales and zero points become one integer affine map."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from intvit.numerics import common_shift
from intvit.ops import LayerNorm
from intvit.ops.layer_norm import FRACTION_BITS
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context
from intvit.quantize.lower.linear import output_encoding
from intvit.quantize.lower.two_scale import narrow_layer_norm_input, outlier_output_encoding


def lower_layer_norm(context: Context, node: FloatNode) -> None:
    """Lower `LayerNormalization` over the last axis."""
    source = context.stream(node.inputs[0])
    gamma, beta = (context.graph.constants[name].astype(np.float64) for name in node.inputs[1:3])
    channels = len(gamma)
    if context.recipe.norm_input_bits < 16:
        source = narrow_layer_norm_input(context, node, source, gamma)
    outliers = outlier_output_encoding(context, node.output) if context.recipe.outlier_channels else None
    encoding = outliers or output_encoding(context, node.output, len(context.graph.shapes[node.output]))
    scale = np.broadcast_to(encoding.scale.reshape(-1), (channels,))
    zero_point = np.broadcast_to(encoding.zero_point.reshape(-1), (channels,))
    offset = beta / scale + zero_point
    room = 59 - int(np.ceil(np.log2(np.abs(offset).max() + 1)))
    gains = [Fraction(float(g)) / (1 << FRACTION_BITS) for g in gamma / scale]
    multipliers, shift = common_shift(gains, max_shift=room)
    bias = [round(Fraction(float(o)) * (1 << shift)) for o in offset]
    step = float(source.encoding.scale.reshape(-1)[0])
    epsilon = max(1, round(float(node.attributes.get("epsilon", 1e-5)) * (channels / step) ** 2))
    op = LayerNorm(to=encoding.dtype, low=encoding.low, high=encoding.high, epsilon=epsilon, shift=shift)
    inputs = (
        source.name,
        context.builder.constant(f"{node.name}.multiplier", np.array(multipliers, np.int32)),
        context.builder.constant(f"{node.name}.bias", np.array(bias, np.int64)),
    )
    context.set(node.output, context.emit(node.name, op, *inputs), encoding)
