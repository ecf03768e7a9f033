"""What GELUs share: a value in fixed point or at the input's scale, then a per-channel requantization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, S32, Interval, IntType, rescale
from intvit.ops import body
from intvit.ops.output import RequantizingOp, check_shift, rescale_bound

VALUE_BITS = 15
"""Fraction bits of `gelu(x)` before it is requantized."""
TAIL = 4
"""Beyond |x| = 4 the bump, at most 1.3e-4 there, counts as zero."""

MAGNITUDE_BODY = (
    body.cast("x", body.INT64, "x_wide")
    + "size = Abs (x_wide)\n"
    + body.attribute("fraction_bits")
    + body.power_of_two("fraction_bits", "one_x")
    + body.constant("tail", TAIL)
    + body.constant("one", 1)
    + "end = Mul (one_x, tail)\nlast = Sub (end, one)\nnear = Min (size, last)\n"
)
RESCALE_BODY = body.attribute("shift") + body.rescale("value", "multiplier", "shift", "scaled") + body.output("scaled")
FINISH_BODY = (
    body.constant("zero", 0)
    + body.constant("value_bits", VALUE_BITS)
    + "up = Sub (value_bits, fraction_bits)\n"
    + body.power_of_two("up", "gain")
    + "positive = Max (x_wide, zero)\nrelu = Mul (positive, gain)\nvalue = Sub (relu, bump)\n"
    + RESCALE_BODY
)


@dataclass(frozen=True, kw_only=True)
class Gelu(RequantizingOp):
    """Base of `y = clip(rescale(v, multiplier, shift) + zero_point)`, `v = 2^15 gelu(x / 2^fraction_bits)`.

    Inputs: `x` s16 `[..., C]` with `fraction_bits` (0..13) fraction bits; `multiplier` s32, non-negative, `[C]` or `[1]`.
    Output: `to`, x's shape. `bump(t) = t Phi(-t)`, at most 0.17.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier")
    fraction_bits: int
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(0 <= self.fraction_bits <= 13, f"fraction_bits must lie in [0, 13], got {self.fraction_bits}")
        return _infer(self, self.shift, inputs, (S16,))

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier = inputs[0], inputs[1]
        bump, claims = self.bump_bounds(inputs)
        value = x.interval.clip(0, x.interval.magnitude) * (1 << (VALUE_BITS - self.fraction_bits)) - bump
        scaled, rescaling = _rescale_bounds(value, multiplier, self.shift)
        return (self.finish_interval(scaled),), (*claims, *rescaling)

    def bump_bounds(self, inputs: Sequence[Operand]) -> tuple[Interval, tuple[Bound, ...]]:
        """Return the bump's interval and the claims of its computation."""
        raise NotImplementedError

    def bump(self, near: NDArray[np.int64], *constants: NDArray[Any]) -> NDArray[np.int64]:
        """Return `2^15 bump(near / 2^fraction_bits)` for `near` in `[0, 4 * 2^fraction_bits)`."""
        raise NotImplementedError

    def near(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Return `|x|`, limited to just below the tail."""
        return np.minimum(np.abs(x.astype(np.int64)), (TAIL << self.fraction_bits) - 1)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier = inputs[:2]
        relu = np.maximum(x.astype(np.int64), 0) << (VALUE_BITS - self.fraction_bits)
        value = relu - self.bump(self.near(x), *inputs[2:])
        return (self.finish(rescale(value, multiplier, self.shift)),)


@dataclass(frozen=True, kw_only=True)
class ScaledGelu(RequantizingOp):
    """Base of `y = clip(rescale(value(x), multiplier, shift) + zero_point)` for codes `x` of any one scale.

    Inputs: `x` of one of `input_types`, `[..., C]`, zero point 0; `multiplier` s32, non-negative, `[C]` or `[1]`.
    Output: `to`, x's shape. `value(x)` is GELU at a scale that follows from the attributes and the scale of x.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier")
    input_types: ClassVar[tuple[IntType, ...]]
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        return _infer(self, self.shift, inputs, self.input_types)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier = inputs
        value, claims = self.value_bounds(x.interval)
        scaled, rescaling = _rescale_bounds(value, multiplier, self.shift)
        return (self.finish_interval(scaled),), (*claims, *rescaling)

    def value_bounds(self, x: Interval) -> tuple[Interval, tuple[Bound, ...]]:
        """Return the value's interval and the claims of its computation."""
        raise NotImplementedError

    def value(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return GELU before it is requantized."""
        raise NotImplementedError

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier = inputs
        return (self.finish(rescale(self.value(x.astype(np.int64)), multiplier, self.shift)),)


def _infer(op: RequantizingOp, shift: int, inputs: Sequence[TensorType], kinds: Sequence[IntType]) -> tuple[TensorType, ...]:
    x, multiplier = inputs[:2]
    op.check_output()
    check_shift(shift)
    require(bool(x.shape), f"x must have a channel axis, got {x}")
    require(x.dtype in kinds, f"x must be {' or '.join(map(str, kinds))}, got {x.dtype}")
    require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its channels, got {x}")
    require(
        multiplier.dtype == S32 and multiplier.shape in ((1,), x.shape[-1:]),
        f"multiplier must be s32[1] or s32[{x.shape[-1]}], got {multiplier}",
    )
    return (TensorType(op.to, x.shape, x.batch_axis),)


def _rescale_bounds(value: Interval, multiplier: Operand, shift: int) -> tuple[Interval, tuple[Bound, ...]]:
    factor = Interval(int(multiplier.constant.min()), int(multiplier.constant.max()))
    scaled, claim = rescale_bound("rescale", value * factor, shift)
    return scaled, (Bound("gelu", value, S32), claim)
