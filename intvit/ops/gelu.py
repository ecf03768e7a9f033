"""What both GELUs share: `gelu(x) = relu(x) - bump(|x|)` in fixed point, then a per-channel requantization."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, S32, Interval, rescale
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
FINISH_BODY = (
    body.constant("zero", 0)
    + body.constant("value_bits", VALUE_BITS)
    + "up = Sub (value_bits, fraction_bits)\n"
    + body.power_of_two("up", "gain")
    + "positive = Max (x_wide, zero)\nrelu = Mul (positive, gain)\nvalue = Sub (relu, bump)\n"
    + body.attribute("shift")
    + body.rescale("value", "multiplier", "shift", "scaled")
    + body.output("scaled")
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
        x, multiplier = inputs[:2]
        self.check_output()
        check_shift(self.shift)
        require(0 <= self.fraction_bits <= 13, f"fraction_bits must lie in [0, 13], got {self.fraction_bits}")
        require(bool(x.shape), f"x must have a channel axis, got {x}")
        require(x.dtype == S16, f"x must be s16, got {x.dtype}")
        require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its channels, got {x}")
        require(
            multiplier.dtype == S32 and multiplier.shape in ((1,), x.shape[-1:]),
            f"multiplier must be s32[1] or s32[{x.shape[-1]}], got {multiplier}",
        )
        return (TensorType(self.to, x.shape, x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier = inputs[0], inputs[1]
        bump, claims = self.bump_bounds(inputs)
        value = x.interval.clip(0, x.interval.magnitude) * (1 << (VALUE_BITS - self.fraction_bits)) - bump
        factor = Interval(int(multiplier.constant.min()), int(multiplier.constant.max()))
        scaled, claim = rescale_bound("rescale", value * factor, self.shift)
        return (self.finish_interval(scaled),), (*claims, Bound("gelu", value, S32), claim)

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
