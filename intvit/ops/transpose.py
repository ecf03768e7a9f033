"""Transpose: permute the axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from intvit.ir.op import require
from intvit.ir.tensor_type import TensorType
from intvit.ops.movement import MovementOp


@dataclass(frozen=True, kw_only=True)
class Transpose(MovementOp):
    """Axis i of `y` is axis `perm[i]` of `x`."""

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    body: ClassVar[str] = "y = Transpose <perm: ints = @perm> (x)\n"
    perm: tuple[int, ...]

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        require(sorted(self.perm) == list(range(len(x.shape))), f"perm {self.perm} must order the axes of {x}")
        axis = None if x.batch_axis is None else self.perm.index(x.batch_axis)
        return (TensorType(x.dtype, tuple(x.shape[i] for i in self.perm), axis),)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        return (inputs[0].transpose(self.perm),)
