"""What the data movement operators share: any element type goes in and the same values come out."""

from __future__ import annotations

from collections.abc import Sequence

from intvit.ir.op import Bound, Op, Operand
from intvit.numerics import Interval


class MovementOp(Op):
    """Base of operators that only move data: the output's interval is the union of the inputs'."""

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        interval = inputs[0].interval
        for operand in inputs[1:]:
            interval |= operand.interval
        return (interval,), ()
