"""Concat: two tensors one after the other along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import require
from intvit.ir.tensor_type import TensorType
from intvit.ops.movement import MovementOp


@dataclass(frozen=True, kw_only=True)
class Concat(MovementOp):
    """`y = a` followed by `b` along `axis`, which must not carry the batch; equal types and other dimensions."""

    input_names: ClassVar[tuple[str, ...]] = ("a", "b")
    body: ClassVar[str] = "y = Concat <axis: int = @axis> (a, b)\n"
    axis: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        a, b = inputs
        require(a.dtype == b.dtype, f"a and b must have one type, got {a} and {b}")
        require(0 <= self.axis < len(a.shape) == len(b.shape), f"axis {self.axis} is not an axis of {a} and {b}")
        require(a.batch_axis == b.batch_axis != self.axis, f"axis {self.axis} must not carry the batch of {a}, {b}")
        fits = all(i == self.axis or d == e for i, (d, e) in enumerate(zip(a.shape, b.shape, strict=True)))
        require(fits, f"shapes must agree outside axis {self.axis}, got {a} and {b}")
        shape = tuple(d + (b.shape[i] if i == self.axis else 0) for i, d in enumerate(a.shape))
        return (TensorType(a.dtype, shape, a.batch_axis),)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        return (np.concatenate(inputs, self.axis),)
