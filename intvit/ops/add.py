"""Add: two tensors of any scales summed at a third, with one rounding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, OpTypeError, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import Interval
from intvit.ops import body
from intvit.ops.output import RequantizingOp, check_shift, rescale_bound


@dataclass(frozen=True, kw_only=True)
class Add(RequantizingOp):
    """`y = clip(((a * multiplier_a + b * multiplier_b + 2**(shift-1)) >> shift) + zero_point)`.

    Inputs: `a` and `b` of any integer type, shapes that broadcast. Output: `to`, the broadcast shape. Both multipliers lie in
    `[0, 2**31)`, so the sum is rounded once, not each operand for itself.
    """

    input_names: ClassVar[tuple[str, ...]] = ("a", "b")
    body: ClassVar[str] = (
        body.cast("a", body.INT64, "a_wide")
        + body.cast("b", body.INT64, "b_wide")
        + body.attribute("multiplier_a")
        + body.attribute("multiplier_b")
        + body.attribute("shift")
        + "a_scaled = Mul (a_wide, multiplier_a)\n"
        + "b_scaled = Mul (b_wide, multiplier_b)\n"
        + "total = Add (a_scaled, b_scaled)\n"
        + body.round_shift("total", "shift", "scaled")
        + body.output("scaled")
    )
    multiplier_a: int
    multiplier_b: int
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        self.check_output()
        check_shift(self.shift)
        for m in (self.multiplier_a, self.multiplier_b):
            require(0 <= m < 1 << 31, f"multipliers must lie in [0, 2^31), got {m}")
        return (broadcast_type(inputs[0], inputs[1], self.to),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        a, b = inputs
        total = a.interval * self.multiplier_a + b.interval * self.multiplier_b
        scaled, claim = rescale_bound("rescale", total, self.shift)
        return (self.finish_interval(scaled),), (claim,)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        a, b = (x.astype(np.int64) for x in inputs)
        total = a * self.multiplier_a + b * self.multiplier_b
        return (self.finish((total + (1 << (self.shift - 1))) >> self.shift),)


def broadcast_type(a: TensorType, b: TensorType, to: Any) -> TensorType:
    """Return the type of an element-wise result of `a` and `b`.

    Raises:
        OpTypeError: the shapes don't broadcast, or the batch axes contradict each other.
    """
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise OpTypeError(f"shapes must broadcast, got {a} and {b}") from None
    axes = {t.batch_axis - len(t.shape) for t in (a, b) if t.batch_axis is not None}
    require(len(axes) <= 1, f"a and b must carry the batch on one axis, got {a} and {b}")
    if not axes:
        return TensorType(to, shape)
    axis = axes.pop()
    for t in (a, b):
        own = t.shape[axis] if -axis <= len(t.shape) else 1
        fits = own == (1 if t.batch_axis is None else shape[axis])
        require(fits, f"along the batch, constants must have length 1 and activations one length, got {a} and {b}")
    return TensorType(to, shape, axis + len(shape))
