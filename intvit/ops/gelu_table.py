"""GeluTable: the bump of GELU read from a table, the most exact way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, Interval
from intvit.ops import body
from intvit.ops.gelu import FINISH_BODY, MAGNITUDE_BODY, Gelu


@dataclass(frozen=True, kw_only=True)
class GeluTable(Gelu):
    """GELU with `bump = table[near >> index_shift]`.

    Third input: `table` s16 `[4 * 2^(fraction_bits - index_shift)]`, the bump with 15 fraction bits.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier", "table")
    body: ClassVar[str] = (
        MAGNITUDE_BODY
        + body.attribute("index_shift")
        + body.shift_right("near", "index_shift", "index")
        + "entry = Gather (table, index)\n"
        + body.cast("entry", body.INT64, "bump")
        + FINISH_BODY
    )
    index_shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        result = super().infer(inputs)
        require(0 <= self.index_shift <= self.fraction_bits, f"index_shift must lie in [0, {self.fraction_bits}]")
        table, entries = inputs[2], 4 << (self.fraction_bits - self.index_shift)
        require(table == TensorType(S16, (entries,)), f"table must be s16[{entries}], got {table}")
        return result

    def bump_bounds(self, inputs: Sequence[Operand]) -> tuple[Interval, tuple[Bound, ...]]:
        table = inputs[2].constant
        return Interval(int(table.min()), int(table.max())), ()

    def bump(self, near: NDArray[np.int64], *constants: NDArray[Any]) -> NDArray[np.int64]:
        entries: NDArray[Any] = constants[0][near >> self.index_shift]
        return entries.astype(np.int64)
