"""Expand: a constant repeated for every image of the batch, such as the class token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import Interval
from intvit.ops.movement import MovementOp


@dataclass(frozen=True, kw_only=True)
class Expand(MovementOp):
    """`y` repeats `x` `[1, ...]` along axis 0 once for every image of `like` (batch on axis 0, length 1 an image)."""

    input_names: ClassVar[tuple[str, ...]] = ("x", "like")
    body: ClassVar[str] = (
        "images = Shape <start = 0, end = 1> (like)\nrest = Shape <start = 1> (x)\n"
        "target = Concat <axis = 0> (images, rest)\ny = Expand (x, target)\n"
    )

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, like = inputs
        require(like.batch_axis == 0 and like.shape[0] == 1, f"like must carry the batch on axis 0, got {like}")
        require(x.batch_axis is None and x.shape[:1] == (1,), f"x must be a constant [1, ...], got {x}")
        return (TensorType(x.dtype, x.shape, 0),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        return (inputs[0].interval,), ()

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, like = inputs
        return (np.broadcast_to(x, (len(like), *x.shape[1:])),)
