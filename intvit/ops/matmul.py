"""MatMul: the exact product of two activations, kept as its s32 accumulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Op, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, Interval
from intvit.ops import body
from intvit.ops.linear import exact_matmul


@dataclass(frozen=True, kw_only=True)
class MatMul(Op):
    """`y = a @ b` over the last two axes.

    Inputs: `a` u8/s8/s16 `[..., M, K]`, `b` s8/s16 `[..., K, C]`, with equal leading axes. Output: s32 `[..., M, C]`, proved to
    fit from the inputs' intervals.
    """

    input_names: ClassVar[tuple[str, ...]] = ("a", "b")
    body: ClassVar[str] = (
        body.cast("a", body.INT32, "a_wide") + body.cast("b", body.INT32, "b_wide") + "y = MatMul (a_wide, b_wide)\n"
    )

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        a, b = inputs
        require(str(a.dtype) in ("u8", "s8", "s16"), f"a must be u8, s8 or s16, got {a.dtype}")
        require(str(b.dtype) in ("s8", "s16"), f"b must be s8 or s16, got {b.dtype}")
        require(len(a.shape) == len(b.shape) >= 2, f"a and b must have the same rank of 2 or more, got {a} and {b}")
        require(a.shape[:-2] == b.shape[:-2], f"leading axes must be equal, got {a} and {b}")
        require(a.shape[-1] == b.shape[-2], f"a's columns must match b's rows, got {a} and {b}")
        require(a.batch_axis == b.batch_axis, f"a and b must carry the batch on one axis, got {a} and {b}")
        require(a.batch_axis is None or a.batch_axis < len(a.shape) - 2, f"the batch must be a leading axis, got {a}")
        return (TensorType(S32, (*a.shape[:-1], b.shape[-1]), a.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        a, b = inputs
        total = ((a.interval * b.interval) | Interval(0, 0)) * a.type.shape[-1]
        return (total,), (Bound("accumulator", total, S32),)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        a, b = inputs
        return (exact_matmul(a, b).astype(np.int32),)
