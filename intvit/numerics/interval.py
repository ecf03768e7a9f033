"""Closed integer intervals in Python integers, for range proofs that can't themselves overflow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """All integers from `low` to `high`, both included.

    Raises:
        ValueError: `low` is larger than `high`.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"an interval needs low <= high, got [{self.low}, {self.high}]")

    def __str__(self) -> str:
        return f"[{self.low}, {self.high}]"

    def __add__(self, other: Interval | int) -> Interval:
        other = as_interval(other)
        return Interval(self.low + other.low, self.high + other.high)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __sub__(self, other: Interval | int) -> Interval:
        return self + -as_interval(other)

    def __mul__(self, other: Interval | int) -> Interval:
        other = as_interval(other)
        corners = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(min(corners), max(corners))

    def __or__(self, other: Interval) -> Interval:
        """Return the smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def __rshift__(self, shift: int) -> Interval:
        return Interval(self.low >> shift, self.high >> shift)

    def __contains__(self, other: Interval | int) -> bool:
        other = as_interval(other)
        return self.low <= other.low and other.high <= self.high

    def clip(self, low: int, high: int) -> Interval:
        """Return the interval after every member has been clipped to `[low, high]`."""
        return Interval(min(max(self.low, low), high), min(max(self.high, low), high))

    def square(self) -> Interval:
        """Return the interval of the members' squares (tighter than `self * self`)."""
        ends = (self.low * self.low, self.high * self.high)
        return Interval(0 if 0 in self else min(ends), max(ends))

    @property
    def magnitude(self) -> int:
        """The largest absolute value of a member."""
        return max(abs(self.low), abs(self.high))


def as_interval(value: Interval | int) -> Interval:
    """Return `value` itself, or the one-point interval of an integer."""
    return value if isinstance(value, Interval) else Interval(int(value), int(value))
