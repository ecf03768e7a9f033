"""One `Linear` from real-valued parameters: the bias and the requantization to the output's codes become integers here."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S8, common_shift
from intvit.ops import Linear
from intvit.quantize.encoding import Encoding
from intvit.quantize.lower.context import Context

Array = NDArray[Any]


@dataclass(frozen=True)
class RealLinear:
    """A layer whose weights are integers, before its output's codes are known.

    Attributes:
        codes: of the weights, float64 [K, C] holding whole numbers.
        steps: their scales, float64 [C].
        bias: float64 [C], in accumulator units.
        shared: the name of equal weights in the integer graph, "" if there are none.
    """

    codes: Array
    steps: Array
    bias: Array
    shared: str = ""


def emit_linear(context: Context, name: str, source: str, layer: RealLinear, encoding: Encoding) -> str:
    """Emit a `Linear` and return its output's name.

    Args:
        context: the lowering's state.
        name: of the node.
        source: what it reads, in the integer graph.
        layer: the weights and bias.
        encoding: of the output, whose last axis has the channels.
    """
    steps = layer.steps
    out_scale, out_zero = (last_axis(a, len(steps)) for a in (encoding.scale, encoding.zero_point))
    common_zero = int(out_zero[0]) if (out_zero == out_zero[0]).all() else 0
    ratio = steps / out_scale
    multipliers, shift = common_shift([Fraction(float(r)) for r in ratio])
    folded_bias = np.floor(layer.bias + (out_zero - common_zero) / ratio + 0.5).astype(np.int32)
    op = Linear(to=encoding.dtype, low=encoding.low, high=encoding.high, zero_point=common_zero, shift=shift)
    inputs = (
        source,
        layer.shared or context.builder.constant(f"{name}.weight", _narrowest(layer.codes)),
        context.builder.constant(f"{name}.bias", folded_bias),
        context.builder.constant(f"{name}.multiplier", np.array(multipliers, np.int32)),
    )
    return context.emit(name, op, *inputs)


def _narrowest(codes: Array) -> Array:
    """Return weights as s8, or as s16 if they have more bits."""
    result: Array = codes.astype(np.int8 if np.abs(codes).max(initial=0) <= S8.high else np.int16)
    return result


def last_axis(array: Array, size: int) -> Array:
    """Return an encoding's scale or zero point for each position of the last axis."""
    return np.broadcast_to(array.reshape(-1), (size,)) if array.size == 1 else array.reshape(-1)
