"""Linear: a matrix product with constant weights, then bias, per-channel rescale, zero point and clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S8, S16, S32, Interval, rescale
from intvit.ops import body
from intvit.ops.output import RequantizingOp, check_shift, rescale_bound


@dataclass(frozen=True, kw_only=True)
class Linear(RequantizingOp):
    """`y = clip(rescale(x @ weight + bias, multiplier, shift) + zero_point)`.

    Inputs: `x` u8/s8/s16 `[..., K]`; `weight` s8/s16 `[K, C]`; `bias` s32 `[C]` (holds the input's zero points too);
    `multiplier` s32 `[C]`. Output: `to` `[..., C]`. The accumulator is s32, proved so from the weights.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "weight", "bias", "multiplier")
    four_bit_inputs: ClassVar[frozenset[str]] = frozenset({"weight"})
    body: ClassVar[str] = (
        body.cast("x", body.INT32, "x_wide")
        + body.cast("weight", body.INT32, "weight_wide")
        + "dot = MatMul (x_wide, weight_wide)\n"
        + "accumulator = Add (dot, bias)\n"
        + body.attribute("shift")
        + body.rescale("accumulator", "multiplier", "shift", "scaled")
        + body.output("scaled")
    )
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, weight, bias, multiplier = inputs
        self.check_output()
        check_shift(self.shift)
        require(x.dtype.bits <= 16, f"x must have at most 16 bits, got {x.dtype}")
        require(weight.dtype in (S8, S16) and len(weight.shape) == 2, f"weight must be s8 or s16 [K, C], got {weight}")
        depth, channels = weight.shape
        require(x.shape[-1:] == (depth,), f"x must end in {depth} channels to match weight {weight}, got {x}")
        require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its channels, got {x}")
        for name, value in (("bias", bias), ("multiplier", multiplier)):
            require(value == TensorType(S32, (channels,)), f"{name} must be s32[{channels}], got {value}")
        return (TensorType(self.to, (*x.shape[:-1], channels), x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, weight, bias, multiplier = inputs
        dot = product_bounds(x.interval, weight.constant)
        low, high = dot[0] + bias.constant, dot[1] + bias.constant
        accumulator = Interval(int(min(low.min(), dot[0].min())), int(max(high.max(), dot[1].max())))
        exact = np.int64 if accumulator in S32.interval else object
        ends = np.stack([low, high]).astype(exact) * multiplier.constant.astype(exact)
        scaled, claim = rescale_bound("rescale", Interval(int(ends.min()), int(ends.max())), self.shift)
        return (self.finish_interval(scaled),), (Bound("accumulator", accumulator, S32), claim)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, weight, bias, multiplier = inputs
        accumulator = exact_matmul(x, weight) + bias.astype(np.int64)
        return (self.finish(rescale(accumulator, multiplier, self.shift)),)


def product_bounds(x: Interval, weight: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the smallest and largest value of `x @ weight` per column, for any `x` inside the interval.

    They also bound every partial sum if zero is in `x`. Sums of at most 2**31 products of 16 by 16 bits are exact in int64.
    """
    total, size = column_sums(weight), column_sums(np.abs(weight).view(f"u{weight.itemsize}"))
    positive, negative = (total + size) >> 1, (total - size) >> 1
    span = Interval(min(x.low, 0), max(x.high, 0))
    return span.low * positive + span.high * negative, span.high * positive + span.low * negative


def column_sums(matrix: NDArray[Any]) -> NDArray[np.int64]:
    """Return the sums [C] of the columns of a matrix [K, C] of 8 or 16 bits.

    Those of 128 rows are exact in twice the bits, and quick.
    """
    partial = np.dtype(f"i{2 * matrix.itemsize}")
    blocks = [matrix[row : row + 128].sum(0, dtype=partial) for row in range(0, len(matrix), 128)]
    sums: NDArray[np.int64] = np.sum(blocks, 0, dtype=np.int64)
    return sums


def exact_matmul(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
    """Return the exact integer product of narrow integers as int64.

    A float64 product is exact while every partial sum stays below 2**53, and runs on BLAS; beyond that int64 is used.
    """
    limit = np.iinfo(a.dtype).max * np.iinfo(b.dtype).max * a.shape[-1]
    if limit < 1 << 53:
        product: NDArray[Any] = np.matmul(a.astype(np.float64), b.astype(np.float64))
    else:
        product = np.matmul(a.astype(np.int64), b.astype(np.int64))
    return product.astype(np.int64)
