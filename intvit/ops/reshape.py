"""Reshape: the same elements in row-major order under another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from intvit.ir.op import require
from intvit.ir.tensor_type import TensorType
from intvit.ops.movement import MovementOp


@dataclass(frozen=True, kw_only=True)
class Reshape(MovementOp):
    """`y = x` under `shape`, in which -1 stands for the axis that carries the batch (and only for it)."""

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    body: ClassVar[str] = "target = Constant <value_ints: ints = @shape> ()\ny = Reshape (x, target)\n"
    shape: tuple[int, ...]

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        marks = [i for i, d in enumerate(self.shape) if d == -1]
        require(len(marks) == (x.batch_axis is not None), f"shape {self.shape} must hold -1 once for the batch of {x}")
        require(all(d > 0 for i, d in enumerate(self.shape) if i not in marks), f"shape {self.shape} must be positive")
        known = math.prod(d for d in self.shape if d != -1)
        require(x.size % known == 0 and (bool(marks) or known == x.size), f"{x} does not fit shape {self.shape}")
        if marks and x.batch_axis is not None:
            before, after = math.prod(x.shape[: x.batch_axis]), math.prod(self.shape[: marks[0]])
            require(before == after, f"shape {self.shape} must leave {before} elements before the batch of {x}, not {after}")
        shape = tuple(x.size // known if d == -1 else d for d in self.shape)
        return (TensorType(x.dtype, shape, marks[0] if marks else None),)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        return (inputs[0].reshape(self.shape),)
