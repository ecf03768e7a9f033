"""Weights of 15 bits, for layers that few rows read: a product of twice the inputs with weights of 8 bits.

With `w = high + low / 2^7`, `x w` is `x high + (x / 2^7) low`; where x has 16 bits, the rounding of `x / 2^7` does far less
than that of weights of 8 bits.
"""

from __future__ import annotations

import numpy as np

from intvit.numerics import S16
from intvit.ops import Concat, Requantize
from intvit.quantize.encoding import Encoding
from intvit.quantize.lower.context import Context
from intvit.quantize.lower.emit_linear import RealLinear, emit_linear
from intvit.quantize.weights import LOW_BITS, in_two_parts


def emit_with_wide_weights(context: Context, name: str, source: str, layer: RealLinear, encoding: Encoding) -> str:
    """Emit a layer whose weights have 15 bits and return its output's name.

    Args:
        context: the lowering's state.
        name: of the node.
        source: what it reads, in the integer graph: s16 [..., K] without zero points.
        layer: the weights and bias.
        encoding: of the output, whose last axis has the channels.
    """
    cut = Requantize(to=S16, low=S16.low, high=S16.high, zero_point=0, shift=LOW_BITS)
    coarse = context.emit(f"{name}.coarse", cut, source, context.builder.constant(f"{name}.one", np.ones(1, np.int32)))
    both = context.emit(f"{name}.inputs", Concat(axis=len(context.builder.types[source].shape) - 1), source, coarse)
    step = 1 << LOW_BITS
    parts = RealLinear(in_two_parts(layer.codes), layer.steps * step, layer.bias / step)
    return emit_linear(context, name, both, parts, encoding)
