"""SoftmaxTable: the exponential read from a table, the most exact way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import U8, Interval
from intvit.ops import body
from intvit.ops.softmax_exp import DISTANCE_BODY, SoftmaxExp, sum_body, with_row_sum


@dataclass(frozen=True, kw_only=True)
class SoftmaxTable(SoftmaxExp):
    """`e = table[min(rescale(rowmax - x, multiplier, shift), len(table) - 1)]`.

    Third input: `table` u8 `[L]`, L from 2 to 65536, the row maximum's exponential first, never rising.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier", "table")
    body: ClassVar[str] = (
        DISTANCE_BODY
        + "size = Size (table)\n"
        + body.constant("one", 1)
        + "end = Sub (size, one)\n"
        + body.at_most("distance", "end", "index")
        + "e_wide = Gather (table, index)\n"
        + sum_body()
    )

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        table = inputs[2]
        require(
            table.dtype == U8 and len(table.shape) == 1 and 2 <= table.shape[0] <= 1 << 16,
            f"table must be u8 with 2 to 65536 entries, got {table}",
        )
        return super().infer(inputs)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        table = inputs[2].constant
        falling = bool((table[1:] <= table[:-1]).all())
        require(int(table[0]) > 0 and falling, "table must start with a positive number and never rise")
        return super().bounds(inputs)

    def top(self, inputs: Sequence[Operand]) -> int:
        return int(inputs[2].constant[0])

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier, table = inputs
        index = np.minimum(self.distance(x, multiplier), len(table) - 1)
        return with_row_sum(table[index].astype(np.int64))
