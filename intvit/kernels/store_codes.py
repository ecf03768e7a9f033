"""Clip and narrowing together, by instructions that saturate: of lanes in order, and of words that were zipped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device
from intvit.kernels.lanes import join_fours, saturate_bytes, saturate_fours, saturated
from intvit.kernels.vector import larger, smaller, store

Array = NDArray[Any]


@device
def middle_of(y: Array, high: Scalar) -> Scalar:
    """Return what makes codes up to `high` signed when it is taken from them: half the range of unsigned ones, else 0."""
    half = 1 << (8 * y.itemsize - 1)
    return half if y.itemsize <= 2 and high >= half else 0


def store_fours(y: Any, c: Any, first: Any, last: Any, middle: Any, low: Any, high: Any) -> None:
    """Write clipped codes to y, s8/s16/s32 or unsigned [C], from column c on.

    Arguments:
        first, last: s32 lanes, the codes less `middle`: of the first four of every eight columns, and of the last four.
        middle: of `middle_of`; low, high: the limits of the codes.
    """
    raise NotImplementedError("only kernels call this")


@overload(store_fours)
def _store_fours(y: Any, c: Any, first: Any, last: Any, middle: Any, low: Any, high: Any) -> Callable[..., None]:
    def as_bytes(y: Any, c: Any, first: Any, last: Any, middle: Any, low: Any, high: Any) -> None:
        store(y, c, smaller(larger(saturate_bytes(saturate_fours(first, last)), low - middle), high - middle) + middle)

    def as_words(y: Any, c: Any, first: Any, last: Any, middle: Any, low: Any, high: Any) -> None:
        store(y, c, smaller(larger(saturate_fours(first, last), low - middle), high - middle) + middle)

    def whole(y: Any, c: Any, first: Any, last: Any, middle: Any, low: Any, high: Any) -> None:
        store(y, c, smaller(larger(join_fours(first, last), low), high))

    return {8: as_bytes, 16: as_words}.get(y.dtype.bitwidth, whole)


def clipped(y: Any, codes: Any, middle: Any, low: Any, high: Any) -> Any:
    """Return clipped codes as signed lanes as wide as the elements of y, for s32 lanes that hold the codes less `middle`.

    `middle`, `low` and `high` are as in `store_fours`.
    """
    raise NotImplementedError("only kernels call this")


@overload(clipped)
def _clipped(y: Any, codes: Any, middle: Any, low: Any, high: Any) -> Callable[..., Any]:
    element = np.dtype(f"i{y.dtype.bitwidth // 8}").type

    def clip(y: Any, codes: Any, middle: Any, low: Any, high: Any) -> Any:
        return smaller(larger(saturated(codes, element), low - middle), high - middle) + middle

    return clip
