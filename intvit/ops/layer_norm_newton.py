"""LayerNormNewton: integer mean, standard deviation by ten Newton steps, per-channel affine: I-ViT's I-LayerNorm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S63, Interval
from intvit.ops import body
from intvit.ops.layer_norm import AFFINE_BODY, affine_bounds, infer_affine
from intvit.ops.output import RequantizingOp

STEPS = 10
START_BITS = 16
"""Newton starts at 2^16; a step takes away at most half, so after ten the root is at least 2^6, also of zero."""
NUMERATOR = (1 << 31) - 1
VALUE_BITS = 30
"""The normalized value times the root of the number of channels has this many fraction bits."""

_MEAN_BODY = (
    "low_rest = Mod (total, dims)\nlow_part = Sub (total, low_rest)\nlow_mean = Div (low_part, dims)\n"
    + "twice = Mul (low_rest, two)\nabove = Greater (twice, dims)\nat_half = Equal (twice, dims)\n"
    + "odd = Mod (low_mean, two)\nis_odd = Equal (odd, one)\ntie_up = And (at_half, is_odd)\nis_up = Or (above, tie_up)\n"
    + body.cast("is_up", body.INT64, "up")
    + "mean = Add (low_mean, up)\n"
)
"""The total over the number of channels, halves to even; `Mod` has the divisor's sign, so `Div` has no rest."""


def _newton_body(x: str, y: str) -> str:
    text = body.constant(f"{y}_0", 1 << START_BITS)
    for i in range(STEPS):
        text += f"{y}_q{i} = Div ({x}, {y}_{i})\n{y}_s{i} = Add ({y}_{i}, {y}_q{i})\n{y}_{i + 1} = Div ({y}_s{i}, two)\n"
    return text


@dataclass(frozen=True, kw_only=True)
class LayerNormNewton(RequantizingOp):
    """Normalize the last axis as I-ViT's published code does (arXiv 2207.01405, sec. 3.5; class IntLayerNorm).

    With C channels:
        mean = round(sum x / C), halves to even;  d = x - mean;  v = sum d^2
        k = 2^16;  ten times:  k = floor((k + floor(v / k)) / 2)
        z = floor(d floor((2^31 - 1) / k) / 2)         sqrt(C) / 2^30 times this is the normalized value
        y = clip(((z multiplier + bias + 2^(shift-1)) >> shift) + zero_point)

    The published code divides beta by gamma, adds the floored quotient to z and multiplies by gamma / scale afterwards, which
    fails for channels whose gamma is (nearly) zero. Here `multiplier / 2^shift` is `gamma sqrt(C) / 2^30 / scale`, with its
    sign, and `bias` is beta at 2^-shift, 64 bits wide: the same real numbers without that floor. Rounding is half up, once.
    As there, epsilon is ignored, and k is right to one unit for v between about 1e5 and 2^45 only; for smaller ones it is at
    least 64. v = 0 gives z = 0.

    Inputs: `x` at most 32 bits `[..., C]`; `multiplier` s32 `[C]`, signed; `bias` s64 `[C]`. Output: `to` `[..., C]`.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier", "bias")
    body: ClassVar[str] = (
        body.cast("x", body.INT64, "x_wide")
        + "last = Constant <value_ints = [-1]> ()\n"
        + "dims = Shape <start = -1> (x)\n"
        + body.constant("one", 1)
        + body.constant("two", 2)
        + "total = ReduceSum <keepdims = 1> (x_wide, last)\n"
        + _MEAN_BODY
        + "d = Sub (x_wide, mean)\nsquares = Mul (d, d)\nv = ReduceSum <keepdims = 1> (squares, last)\n"
        + _newton_body("v", "k")
        + body.constant("numerator", NUMERATOR)
        + f"factor = Div (numerator, k_{STEPS})\nproduct = Mul (d, factor)\n"
        + body.shift_right("product", "one", "z")
        + AFFINE_BODY
    )
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return infer_affine(self, self.shift, inputs)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier, bias = inputs
        c, width = x.type.shape[-1], x.interval.high - x.interval.low
        v = Interval(0, c * width * width)
        # a Newton step from above or below never ends below floor(sqrt(v)), and |d| is at most that, so |d F| <= 2^31 - 1
        product = Interval(-NUMERATOR, NUMERATOR)
        y, affine = affine_bounds(self, self.shift, product >> 1, multiplier, bias)
        claims = (
            Bound("sum", x.interval * c, S63),
            Bound("sum of squares", v, S63),
            Bound("Newton step", v + (1 << START_BITS), S63),
            affine,
        )
        return (y,), claims

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier, bias = (v.astype(np.int64) for v in inputs)
        d = x - rounded_mean(x)
        z = (d * (NUMERATOR // newton_root((d * d).sum(-1, keepdims=True)))) >> 1
        return (self.finish((z * multiplier + bias + (1 << (self.shift - 1))) >> self.shift),)


def rounded_mean(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the mean over the last axis, halves to even, int64 [..., 1]."""
    channels = x.shape[-1]
    mean, rest = np.divmod(x.sum(-1, keepdims=True), channels)
    up: NDArray[np.int64] = mean + ((2 * rest > channels) | ((2 * rest == channels) & (mean % 2 == 1)))
    return up


def newton_root(v: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what ten Newton steps from 2^16 give for the square root of `v >= 0`; never below the root's floor, nor 64."""
    k = np.full_like(v, 1 << START_BITS)
    for _ in range(STEPS):
        k = (k + v // k) // 2
    return k
