"""Softmax's exponentials of whole rows, rounded with thresholds, and their sums, whichever way an exponential is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import even, odd
from intvit.kernels.softmax_exp import LOWEST, row_max
from intvit.kernels.softmax_octave import octave_exponentials, octave_scale
from intvit.kernels.softmax_polynomial import polynomial_exponentials, polynomial_scale
from intvit.kernels.vector import LANES_16, LANES_32, cast, first, load, load_whole, store, sum_lanes, vector

Array = NDArray[Any]


def exponential_thresholds(thresholds: Sequence[int]) -> Array:
    """Return thresholds, a power of two of them up to `LANES_16`, as the kernel reads them: u16 [LANES_16], repeated."""
    return np.resize(np.array(thresholds, np.uint16), LANES_16)


@kernel()
def softmax_rows(
    x: Array, multiplier: Array, shift: int, exponential: Array, value_bits: int, threshold_bits: int, thresholds: Array,
    e: Array, row_sum: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute `e ~ top exp(scale (x - rowmax))` and its sum for each row.

    Args:
        x: s32 [R, C].
        multiplier: s32 [R], non-negative.
        shift: of the rescale to distances.
        exponential: s16 [64], the table of a `SoftmaxOctave`, or the steps of `exponential_steps`, u16 or s32.
        value_bits: fraction bits of the exponential, which has at most 15 bits with them, before it is rounded.
        threshold_bits: those of them that are kept until a threshold is added.
        thresholds: of `exponential_thresholds`.
        e: u8/s16 [R, C]; row_sum: s32 [R].
    """
    rounding = value_bits, threshold_bits, thresholds
    r, stop = share(len(e), part, parts)
    while r < stop:
        end = r + 1
        while end < stop and multiplier[end] == multiplier[r]:
            end += 1
        exponential_rows(x[r:end], x.shape[1], multiplier[r], shift, exponential, rounding, e[r:end], row_sum[r:end])
        r = end


@device
def exponential_rows(
    x: Array, columns: Scalar, multiplier: Scalar, shift: Scalar, exponential: Array, rounding: tuple[Scalar, Scalar, Array],
    e: Array, row_sum: Array,
) -> None:  # fmt: skip
    """Write the exponentials of all rows and their sums.

    `rounding` is value bits, threshold bits and thresholds, as in `softmax_rows`. Rows of x may be longer than `columns`;
    what is there must be `LOWEST`. Rows of e may be longer, too, and get zeros there.
    """
    value_bits, threshold_bits, thresholds = rounding
    scale = scale_of(exponential, multiplier, shift, value_bits - threshold_bits)
    raise_by = load(thresholds, 0, LANES_16, 0)
    chunk = LANES_16 << max(value_bits, 2)
    ahead = row_max(x[0])
    for r in range(len(x)):
        row, top, total = x[r], ahead, np.int32(0)
        ahead = row_max(x[min(r + 1, len(x) - 1)])
        for start in range(0, columns, chunk):
            sums, stop = vector(np.uint16, LANES_16, 0), min(start + chunk, columns)
            left = (stop - start) & (LANES_16 - 1)
            for c in range(start, stop - left, LANES_16):
                x0, x1 = load_whole(row, c, LANES_32), load_whole(row, c + LANES_32, LANES_32)
                values = (fine_exponentials(exponential, x0, x1, top, scale) + raise_by) >> threshold_bits
                sums = sums + values
                store(e[r], c, cast(values, e.dtype.type))
            if left:
                c = stop - left
                x0, x1 = load(row, c, LANES_32, LOWEST), load(row, c + LANES_32, LANES_32, LOWEST)
                inside = first(vector(np.uint16, LANES_16, 0xFFFF), left)
                values = ((fine_exponentials(exponential, x0, x1, top, scale) + raise_by) >> threshold_bits) & inside
                sums = sums + values
                store(e[r], c, cast(values, e.dtype.type))
            total += np.int32(sum_lanes(even(sums) + odd(sums)))
        row_sum[r] = total


def scale_of(exponential: Any, multiplier: Any, shift: Any, dropped: Any) -> Any:
    """Return what `fine_exponentials` takes of a rescale to distances; it drops so many fraction bits."""
    raise NotImplementedError("only kernels call this")


@overload(scale_of)
def _scale_of(exponential: Any, multiplier: Any, shift: Any, dropped: Any) -> Callable[..., Any]:
    def of_octave(exponential: Any, multiplier: Any, shift: Any, dropped: Any) -> Any:
        return octave_scale(multiplier, shift)

    def of_polynomial(exponential: Any, multiplier: Any, shift: Any, dropped: Any) -> Any:
        return polynomial_scale(exponential, multiplier, shift, dropped)

    return of_octave if exponential.dtype == types.int16 else of_polynomial


def fine_exponentials(exponential: Any, x0: Any, x1: Any, top: Any, scale: Any) -> Any:
    """Return the exponentials of two s32 vectors before they are rounded as u16, those of the first before the others."""
    raise NotImplementedError("only kernels call this")


@overload(fine_exponentials)
def _fine_exponentials(exponential: Any, x0: Any, x1: Any, top: Any, scale: Any) -> Callable[..., Any]:
    def of_octave(exponential: Any, x0: Any, x1: Any, top: Any, scale: Any) -> Any:
        return octave_exponentials(exponential, x0, x1, top, scale)

    def of_polynomial(exponential: Any, x0: Any, x1: Any, top: Any, scale: Any) -> Any:
        return polynomial_exponentials(x0, x1, top, scale)

    return of_octave if exponential.dtype == types.int16 else of_polynomial
