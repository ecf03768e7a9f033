"""SoftmaxTwoScale: softmax's exponentials as two-scale codes read from a table, and the sums of what the codes stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, U8, Interval
from intvit.ops import body
from intvit.ops.softmax_exp import DISTANCE_BODY, SoftmaxExp
from intvit.ops.two_scale import LAYOUT_BODY, check_layout, decode, decode_body, top_value


@dataclass(frozen=True, kw_only=True)
class SoftmaxTwoScale(SoftmaxExp):
    """`e = table[min(rescale(rowmax - x, multiplier, shift), len(table) - 1)]`, codes that `TwoScaleDecode` reads.

    Inputs: as `SoftmaxExp`, and `table` u8 `[L]`, L from 2 to 65536: codes of k = `bits` bits with m = `coarse_shift`, the top
    code 2^k - 1 first. `row_sum` is the sum of the codes' values, so that what is multiplied by the values and divided by it
    adds up to one exactly. V-2SF of TSPTQ-ViT (arXiv 2305.12901) with the division deferred.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier", "table")
    body: ClassVar[str] = (
        DISTANCE_BODY
        + LAYOUT_BODY
        + "size = Size (table)\n"
        + "end = Sub (size, region_unit)\n"
        + body.at_most("distance", "end", "index")
        + "e = Gather (table, index)\n"
        + body.cast("e", body.INT64, "code")
        + decode_body("code", "value")
        + body.cast("value", body.INT32, "value_narrow")
        + "row_sum = ReduceSum <keepdims = 1> (value_narrow, last)\n"
    )
    bits: int
    coarse_shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        table = inputs[2]
        check_layout(self.bits, self.coarse_shift)
        require(
            table.dtype == U8 and len(table.shape) == 1 and 2 <= table.shape[0] <= 1 << 16,
            f"table must be u8 with 2 to 65536 entries, got {table}",
        )
        return super().infer(inputs)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        table, top = inputs[2].constant, (1 << self.bits) - 1
        require(int(table[0]) == top == int(table.max()), f"table must start at {top}, its largest code")
        _, (distance, _) = super().bounds(inputs)
        largest = top_value(self.bits, self.coarse_shift)
        row_sum = Interval(largest, largest * inputs[0].type.shape[-1])
        return (Interval(int(table.min()), top), row_sum), (distance, Bound("row sum", row_sum, S32))

    def top(self, inputs: Sequence[Operand]) -> int:
        """Return the code of each row's maximum."""
        return int(inputs[2].constant[0])

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier, table = inputs
        e = table[np.minimum(self.distance(x, multiplier), len(table) - 1)]
        row_sum = decode(e, self.bits, self.coarse_shift).sum(-1, keepdims=True)
        return e, row_sum.astype(np.int32)
