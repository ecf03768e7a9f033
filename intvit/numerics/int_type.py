"""Integer types: what a tensor may hold and what a register may carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intvit.numerics.interval import Interval


@dataclass(frozen=True, slots=True)
class IntType:
    """A two's complement (or unsigned) integer type of `bits` bits, written `s8`, `u8`, `s16`, ..."""

    bits: int
    signed: bool

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.bits}"

    @property
    def low(self) -> int:
        """The smallest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """The largest value."""
        return (1 << (self.bits - self.signed)) - 1

    @property
    def interval(self) -> Interval:
        """All values of the type."""
        return Interval(self.low, self.high)

    @property
    def dtype(self) -> np.dtype[np.signedinteger | np.unsignedinteger]:
        """The NumPy dtype of the same width.

        Raises:
            TypeError: NumPy has none (63 bits).
        """
        return np.dtype(f"{'i' if self.signed else 'u'}{self.bits // 8}")

    def slack_bits(self, interval: Interval) -> int:
        """Return how many more bits the type has than `interval` needs; negative means overflow."""
        needed = max(max(interval.high, 0).bit_length(), (-1 - interval.low).bit_length() if interval.low < 0 else 0)
        if interval.low < 0 and not self.signed:
            return -1
        return self.bits - self.signed - needed

    @staticmethod
    def of(dtype: np.dtype[np.generic]) -> IntType:
        """Return the type of a NumPy integer dtype.

        Raises:
            TypeError: `dtype` is not an integer dtype.
        """
        if dtype.kind not in "iu":
            raise TypeError(f"integer tensors only: {dtype} is not an integer dtype")
        return IntType(dtype.itemsize * 8, dtype.kind == "i")

    @staticmethod
    def parse(text: str) -> IntType:
        """Return the type written `text`, such as `u8`.

        Raises:
            ValueError: `text` names no integer type.
        """
        if text[:1] not in ("s", "u") or not text[1:].isdigit():
            raise ValueError(f"not an integer type: {text!r}")
        return IntType(int(text[1:]), text[0] == "s")


S4 = IntType(4, True)
"""Of weights in a file; NumPy has no such dtype."""
S8, U8 = IntType(8, True), IntType(8, False)
S16, U16 = IntType(16, True), IntType(16, False)
S32, S64 = IntType(32, True), IntType(64, True)
S63 = IntType(63, True)
"""What a value may hold if it is shifted right by lifting it above zero first (ONNX `BitShift` is unsigned)."""
