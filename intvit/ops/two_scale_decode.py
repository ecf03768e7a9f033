"""TwoScaleDecode: the integers that two-scale codes stand for, on the fine scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Op, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, U8, Interval
from intvit.ops import body
from intvit.ops.two_scale import LAYOUT_BODY, check_layout, decode, decode_body, decoded_interval


@dataclass(frozen=True, kw_only=True)
class TwoScaleDecode(Op):
    """`y = x` where x < 2^(k-1), else `(x - 2^(k-1)) << m`, with k = `bits` and m = `coarse_shift`.

    What `TwoScaleEncode` wrote, aligned to its fine scale, so that one scale is left in the sums of a product. Input: `x` u8.
    Output: s16, x's shape; no code has a value beyond 16 bits.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    body: ClassVar[str] = (
        LAYOUT_BODY + body.cast("x", body.INT64, "code") + decode_body("code", "value") + body.cast("value", 5, "y")
    )
    bits: int
    coarse_shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        require(bool(x.shape), f"x must have a channel axis, got {x}")
        check_layout(self.bits, self.coarse_shift)
        require(x.dtype == U8, f"x must be u8 codes, got {x.dtype}")
        return (TensorType(S16, x.shape, x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        value = decoded_interval(inputs[0].interval, self.bits, self.coarse_shift)
        return (value,), (Bound("value", value, S16),)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        return (decode(inputs[0], self.bits, self.coarse_shift).astype(np.int16),)
