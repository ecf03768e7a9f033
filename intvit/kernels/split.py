"""Splitting 16-bit codes into bytes, for levels that multiply bytes."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.vector import LANES_16, load, store

Array = NDArray[Any]


@kernel()
def split(x: Array, lower: int, upper: int, planes: Array, part: int, parts: int) -> None:
    """Write the lower and the upper bytes of codes, as the tiles of a level want them.

    Args:
        x: s16/u16 [M, K].
        lower, upper: what makes u8 codes, and s8 or u8 codes, the level's left operands: `offset`.
        planes: of `operand_type(level)` [M, 2, at least K], lower bytes first.
    """
    start, stop = share(len(x), part, parts)
    for row in range(start, stop):
        split_row(x[row], lower, upper, planes[row])


@device
def split_row(x: Array, lower: Scalar, upper: Scalar, planes: Array) -> None:
    """Write the lower and the upper bytes of a row with unit stride; what is added wraps."""
    for k in range(0, len(x), LANES_16):
        codes = load(x, k, LANES_16, 0)
        store(planes[0], k, codes + lower)
        store(planes[1], k, (codes >> 8) + upper)
