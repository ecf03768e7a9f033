"""How an operator's wide integers become its output type: zero point, clip, narrow. Shared by all that requantize."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from intvit.ir.op import Bound, Op, require
from intvit.numerics import S63, Interval, IntType, saturate


@dataclass(frozen=True, kw_only=True)
class RequantizingOp(Op):
    """Base of the operators that end in `y = narrow(clip(v + zero_point, low, high))`.

    Attributes:
        to: the output type.
        zero_point: the code of real zero.
        low: the smallest output code; with `high`, inside the type's range.
        high: the largest output code.
    """

    to: IntType
    zero_point: int = 0
    low: int
    high: int

    def check_output(self) -> None:
        """Raise `OpTypeError` unless the output type has at most 32 bits and the clip range and zero point fit it."""
        require(self.to.bits <= 32, f"the output type must have at most 32 bits, got {self.to}")
        require(abs(self.zero_point) < 1 << 31, f"zero_point must fit 32 bits, got {self.zero_point}")
        require(
            self.to.low <= self.low <= self.high <= self.to.high,
            f"clip range [{self.low}, {self.high}] does not lie inside {self.to}",
        )

    def finish(self, v: NDArray[Any]) -> NDArray[Any]:
        """Return int64 `v` as output codes."""
        return saturate(v + self.zero_point, self.to, self.low, self.high)

    def finish_interval(self, v: Interval) -> Interval:
        """Return the interval of the output codes."""
        return (v + self.zero_point).clip(self.low, self.high)


def check_shift(shift: int) -> None:
    """Raise `OpTypeError` unless `shift` is one that `rescale` takes."""
    require(2 <= shift <= 62, f"shift must lie in [2, 62], got {shift}")


def rescale_bound(name: str, product: Interval, shift: int) -> tuple[Interval, Bound]:
    """Return the interval after rounding and shifting, and the claim that the rounded product fits 63 bits."""
    rounded = product + (1 << (shift - 1))
    return rounded >> shift, Bound(name, product | rounded, S63)
