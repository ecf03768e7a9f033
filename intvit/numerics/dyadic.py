"""Exact scales of the form multiplier / 2**shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

MIN_SHIFT, MAX_SHIFT = 2, 62
MULTIPLIER_BITS = 31


@dataclass(frozen=True, slots=True)
class Dyadic:
    """The number `multiplier / 2**shift`, with `0 <= multiplier < 2**31` and `2 <= shift <= 62` (TOSA RESCALE's range).

    Raises:
        ValueError: a field is out of its range.
    """

    multiplier: int
    shift: int

    def __post_init__(self) -> None:
        if not 0 <= self.multiplier < 1 << MULTIPLIER_BITS:
            raise ValueError(f"multiplier must lie in [0, 2^31), got {self.multiplier}")
        if not MIN_SHIFT <= self.shift <= MAX_SHIFT:
            raise ValueError(f"shift must lie in [2, 62], got {self.shift}")

    def to_fraction(self) -> Fraction:
        """Return the exact value."""
        return Fraction(self.multiplier, 1 << self.shift)

    @staticmethod
    def nearest(value: Fraction | float) -> Dyadic:
        """Return the closest dyadic to `value` that has as many multiplier bits as fit.

        Raises:
            ValueError: `value` is negative or 2**29 or more.
        """
        multipliers, shift = common_shift([Fraction(value)])
        return Dyadic(multipliers[0], shift)


def common_shift(values: Sequence[Fraction], bits: int = MULTIPLIER_BITS, max_shift: int = MAX_SHIFT) -> tuple[list[int], int]:
    """Write many scales over one power of two: `values[i] ~ multipliers[i] / 2**shift`.

    The largest magnitude fills `bits` bits; signs are kept, so LayerNorm's gamma can go through it.

    Args:
        values: exact scales.
        bits: bits of the largest multiplier.
        max_shift: the largest shift allowed.

    Returns:
        The multipliers, each below `2**bits` in magnitude, and the shift in `[2, max_shift]`.

    Raises:
        ValueError: the largest magnitude does not fit at the smallest shift.
    """
    top = max((abs(v) for v in values), default=Fraction(0))
    shift = max_shift
    if top:
        estimate = bits - (top.numerator.bit_length() - top.denominator.bit_length())
        shift = max(MIN_SHIFT, min(max_shift, estimate + 1))
        while shift > MIN_SHIFT and round(top * (1 << shift)) >= 1 << bits:
            shift -= 1
    if round(top * (1 << shift)) >= 1 << bits:
        raise ValueError(f"a scale of about 2^{int(top).bit_length()} is too large for a {bits}-bit multiplier")
    return [round(v * (1 << shift)) for v in values], shift
