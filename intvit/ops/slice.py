"""Slice: a contiguous range of one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from intvit.ir.op import require
from intvit.ir.tensor_type import TensorType
from intvit.ops.movement import MovementOp


@dataclass(frozen=True, kw_only=True)
class Slice(MovementOp):
    """`y = x[..., start:end, ...]` along `axis`, which must not carry the batch; `0 <= start < end <= length`."""

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    body: ClassVar[str] = (
        "axes = Constant <value_int: int = @axis> ()\nstarts = Constant <value_int: int = @start> ()\n"
        "ends = Constant <value_int: int = @end> ()\none = Constant <value_ints = [1]> ()\n"
        "axes_1 = Reshape (axes, one)\nstarts_1 = Reshape (starts, one)\nends_1 = Reshape (ends, one)\n"
        "y = Slice (x, starts_1, ends_1, axes_1)\n"
    )
    axis: int
    start: int
    end: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        require(0 <= self.axis < len(x.shape), f"axis {self.axis} is not an axis of {x}")
        require(self.axis != x.batch_axis, f"axis {self.axis} carries the batch of {x}")
        require(0 <= self.start < self.end <= x.shape[self.axis], f"range [{self.start}, {self.end}) leaves {x}")
        shape = tuple(self.end - self.start if i == self.axis else d for i, d in enumerate(x.shape))
        return (TensorType(x.dtype, shape, x.batch_axis),)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        return (inputs[0][(slice(None),) * self.axis + (slice(self.start, self.end),)],)
