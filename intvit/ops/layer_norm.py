"""LayerNorm: exact integer mean and variance, exact square root, one reciprocal a row, per-channel affine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, S63, S64, Interval, isqrt
from intvit.ops import body
from intvit.ops.output import RequantizingOp, check_shift

FRACTION_BITS = 20
"""Fraction bits of the normalized value `(x - mean) / std`."""

AFFINE_BODY = (
    body.cast("multiplier", body.INT64, "multiplier_wide")
    + "scaled = Mul (z, multiplier_wide)\nbiased = Add (scaled, bias)\n"
    + body.attribute("shift")
    + body.round_shift("biased", "shift", "rounded")
    + body.output("rounded")
)
"""From the normalized value `z` to the output."""

_NEWTON_STEPS = 5


def _isqrt_body(x: str, y: str) -> str:
    """Define `y = floor(sqrt(x))` for int64 `x` in [2^60, 2^62): Newton from 2^31, then one correction.

    From a start at most twice the root, five steps leave a relative error below 2e-15, so the integer iterate is the root or
    one more (integer Newton from above never falls below the root).
    """
    text = body.constant(f"{y}_two", 2) + body.constant(f"{y}_0", 1 << 31)
    for i in range(_NEWTON_STEPS):
        text += f"{y}_q{i} = Div ({x}, {y}_{i})\n{y}_s{i} = Add ({y}_{i}, {y}_q{i})\n"
        text += f"{y}_{i + 1} = Div ({y}_s{i}, {y}_two)\n"
    last = f"{y}_{_NEWTON_STEPS}"
    return text + (
        f"{y}_square = Mul ({last}, {last})\n{y}_over = Greater ({y}_square, {x})\n"
        f"{y}_one = Cast <to = 7> ({y}_over)\n{y} = Sub ({last}, {y}_one)\n"
    )


@dataclass(frozen=True, kw_only=True)
class LayerNorm(RequantizingOp):
    """Normalize the last axis, then scale and shift each channel.

    With C channels, `s1 = sum x`, `s2 = sum x^2`:
        d = C x - s1;  V = C s2 - s1^2 + epsilon           (so d / sqrt(V) is the normalized value)
        h = (62 - bit_length(V)) // 2;  r = isqrt(V << 2h)   in [2^30, 2^31)
        R = floor((2^61 - 1) / r) < 2^31;  z = (d R) >> (61 - 20 - h)      the normalized value with 20 fraction bits
        y = clip(((z multiplier + bias + 2^(shift-1)) >> shift) + zero_point)

    Inputs: `x` s16/s32 `[..., C]`; `multiplier` s32 `[C]` (signed: gamma's sign is in it); `bias` s64 `[C]` (beta and
    per-channel zero points at scale 2^-shift). Output: `to` `[..., C]`. `epsilon >= 1` is the float epsilon at the scale
    of V.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier", "bias")
    body: ClassVar[str] = (
        body.cast("x", body.INT64, "x_wide")
        + "last = Constant <value_ints = [-1]> ()\n"
        + "dims = Shape <start = -1> (x)\n"
        + "s1 = ReduceSum <keepdims = 1> (x_wide, last)\n"
        + "squares = Mul (x_wide, x_wide)\ns2 = ReduceSum <keepdims = 1> (squares, last)\n"
        + "cx = Mul (x_wide, dims)\nd = Sub (cx, s1)\n"
        + "cs2 = Mul (s2, dims)\ns1s1 = Mul (s1, s1)\nspread = Sub (cs2, s1s1)\n"
        + body.attribute("epsilon")
        + "v = Add (spread, epsilon)\n"
        + f"powers = Constant <value_ints = [{', '.join(str(1 << i) for i in range(62))}]> ()\n"
        + "reached = GreaterOrEqual (v, powers)\nreached_wide = Cast <to = 7> (reached)\n"
        + "length = ReduceSum <keepdims = 1> (reached_wide, last)\n"
        + body.constant("top", 62)
        + body.constant("two", 2)
        + "room = Sub (top, length)\nh = Div (room, two)\nhh = Mul (h, two)\n"
        + body.power_of_two("hh", "lift")
        + "v_lifted = Mul (v, lift)\n"
        + _isqrt_body("v_lifted", "r")
        + body.constant("numerator", (1 << 61) - 1)
        + "reciprocal = Div (numerator, r)\nproduct = Mul (d, reciprocal)\n"
        + body.constant("point", 61 - FRACTION_BITS)
        + "z_shift = Sub (point, h)\n"
        + body.shift_right("product", "z_shift", "z")
        + AFFINE_BODY
    )
    epsilon: int
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(self.epsilon >= 1, f"epsilon must be 1 or more, got {self.epsilon}")
        return infer_affine(self, self.shift, inputs)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier, bias = inputs
        c = x.type.shape[-1]
        width = x.interval.high - x.interval.low
        d = Interval(-width * (c - 1), width * (c - 1))
        # Popoviciu: C s2 - s1^2 <= (C width / 2)^2
        v = Interval(self.epsilon, self.epsilon + (c * width) ** 2 // 4)
        # |d_i| <= sqrt(C - 1) sqrt(C s2 - s1^2); the reciprocal adds less than 2^-29 of that
        limit = (int(isqrt_ceil(c)) << FRACTION_BITS) + (1 << FRACTION_BITS)
        z = Interval(-limit, limit)
        product = d * ((1 << 31) - 1)
        y, affine = affine_bounds(self, self.shift, z, multiplier, bias)
        claims = (
            Bound("centred", d, S32),
            Bound("sum of squares", (x.interval.square() * c * c) | v, S63),
            Bound("variance", v, S63),
            Bound("normalized", z, S32),
            Bound("reciprocal product", product, S63),
            affine,
        )
        return (y,), claims

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier, bias = (v.astype(np.int64) for v in inputs)
        c = x.shape[-1]
        s1 = x.sum(-1, keepdims=True)
        d = c * x - s1
        v = c * (x * x).sum(-1, keepdims=True) - s1 * s1 + self.epsilon
        h = (62 - bit_length(v)) // 2
        reciprocal = ((1 << 61) - 1) // isqrt(v << (2 * h))
        z = (d * reciprocal) >> (61 - FRACTION_BITS - h)
        return (self.finish((z * multiplier + bias + (1 << (self.shift - 1))) >> self.shift),)


def infer_affine(op: RequantizingOp, shift: int, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
    """Check the inputs x, multiplier and bias of a layer norm and return its output's type."""
    x, multiplier, bias = inputs
    op.check_output()
    check_shift(shift)
    require(x.dtype.bits <= 32, f"x must have at most 32 bits, got {x.dtype}")
    require(bool(x.shape), f"x must have a last axis to normalize, got {x}")
    channels = x.shape[-1]
    require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its channels, got {x}")
    require(multiplier == TensorType(S32, (channels,)), f"multiplier must be s32[{channels}], got {multiplier}")
    require(bias == TensorType(S64, (channels,)), f"bias must be s64[{channels}], got {bias}")
    return (TensorType(op.to, x.shape, x.batch_axis),)


def affine_bounds(op: RequantizingOp, shift: int, z: Interval, multiplier: Operand, bias: Operand) -> tuple[Interval, Bound]:
    """Return the output's interval for normalized values in `z`, and the claim that the affine map fits 63 bits."""
    scaled = z * Interval(int(multiplier.constant.min()), int(multiplier.constant.max()))
    total = scaled + Interval(int(bias.constant.min()), int(bias.constant.max())) + (1 << (shift - 1))
    return op.finish_interval(total >> shift), Bound("affine", total | scaled, S63)


def bit_length(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of bits of every element of `x` in `[0, 2**62)`."""
    reached: NDArray[np.bool_] = x[..., None] >= (np.int64(1) << np.arange(62, dtype=np.int64))
    length: NDArray[np.int64] = reached.sum(-1, dtype=np.int64)
    return length


def isqrt_ceil(x: int) -> int:
    """Return `ceil(sqrt(x))`."""
    root = int(isqrt(np.array(x)))
    return root + (root * root < x)
