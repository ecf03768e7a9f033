"""LayerNormWords: the numbers of eight rows at once, as in `layer_norm`, then two products of words a code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import halves, pair_dot, saturate_pairs
from intvit.kernels.layer_norm import HALF, apart, moments, reciprocals
from intvit.kernels.store_codes import store_words
from intvit.kernels.vector import LANES_64, WIDE, cast, larger, load, load_whole, smaller, store, vector

Array = NDArray[Any]

FACTOR_BITS, RECIPROCAL_BITS, LARGEST = 14, 31, (1 << 15) - 1
"""As in `intvit.ops.layer_norm_words`."""


def word_numbers(multiplier: Array, bias: Array, shift: int, start: int) -> tuple[Array, Array]:
    """Return s16 multipliers and s32 biases [C] as `layer_norm_words` reads them.

    Args:
        shift: of the operator; each bias gets its rounding half.
        start: the zero point less `middle_of` the output, which each bias gets, too.
    """
    added = bias.astype(np.int64) + (1 << (shift - 1)) + (start << shift)
    return apart(multiplier.astype(np.int32) & 0xFFFF), apart(added.astype(np.int32))


@kernel(scratch=("scales",))
def layer_norm_words(
    x: Array, multiplier: Array, bias: Array, epsilon: int, fraction_bits: int,
    shift: int, middle: int, low: int, high: int, scales: Array, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Normalize each row of `x` [R, C] into `y` [R, C].

    Args:
        x: s16 or narrower.
        multiplier, bias: s32, of `word_numbers`.
        epsilon, fraction_bits, shift: of the operator.
        middle: of `intvit.kernels.store_codes.middle_of`; low, high: of the output.
        scales: s64 [SCALES, LANES_64], scratch.
        y: the codes, of 8 or 16 bits.
    """
    start, stop = share(len(y), part, parts)
    for block in range(start, stop, LANES_64):
        count = min(LANES_64, stop - block)
        scales[1] = 1
        for r in range(count):
            total, squares = moments(x[block + r])
            scales[0, r] = total
            scales[1, r] = np.int64(x.shape[1]) * squares - total * total + np.int64(epsilon)
        find_factors(scales, np.int64(x.shape[1]), fraction_bits)
        for r in range(count):
            numbers = (scales[0, r], scales[1, r], scales[2, r])
            affine_words(x[block + r], numbers, (multiplier, bias, shift), (middle, low, high), y[block + r])


@device
def find_factors(scales: Array, channels: Scalar, fraction_bits: Scalar) -> None:
    """Turn sums and variances of rows into what is added to `x m`, the factor m and the shift behind both."""
    total, (reciprocal, lift) = load_whole(scales[0], 0, LANES_64), reciprocals(load_whole(scales[1], 0, LANES_64))
    bits = np.int64(0)
    while channels >> bits:
        bits += 1
    one, factor_shift = vector(np.int64, LANES_64, 1), RECIPROCAL_BITS - FACTOR_BITS + bits
    free = (61 - factor_shift - fraction_bits) - lift
    down, k = larger(free, 0), smaller(free, 0) + factor_shift
    factor = smaller((reciprocal * channels + (one << (k - 1))) >> k, LARGEST)
    inverse = ((np.int64(1) << (bits + RECIPROCAL_BITS - 1)) - 1) // channels
    mean = (total * inverse) >> (bits + RECIPROCAL_BITS - 1 - FACTOR_BITS)
    store(scales[0], 0, ((one << down) >> 1) - ((mean * factor) >> FACTOR_BITS))
    store(scales[1], 0, factor)
    store(scales[2], 0, down)


@device
def affine_words(row: Array, scale: tuple[Scalar, ...], numbers: Any, limits: Any, y: Array) -> None:
    """Write one row."""
    middle, low, high = limits
    tail = len(row) & (WIDE - 1)
    for c in range(0, len(row) - tail, WIDE):
        store_words(y, c, code_words(load_whole(row, c, WIDE), scale, numbers, c), middle, low, high)
    if tail:
        c = len(row) - tail
        store_words(y, c, code_words(load(row, c, WIDE, 0), scale, numbers, c), middle, low, high)


@device
def code_words(x: Scalar, scale: tuple[Scalar, ...], numbers: Any, c: Scalar) -> Scalar:
    """Return the codes of some channels less the middle, as s16 lanes."""
    start, factor, down = scale
    multiplier, bias, shift = numbers
    words = cast(x, np.int16)
    factor_even, factor_odd = vector(np.int32, HALF, factor), vector(np.int32, HALF, factor << 16)
    z_even = (pair_dot(words, halves(factor_even)) + start) >> down
    z_odd = (pair_dot(words, halves(factor_odd)) + start) >> down
    even = pair_dot(halves(z_even), halves(load_whole(multiplier, c, HALF))) + load_whole(bias, c, HALF)
    odd = pair_dot(halves(z_odd), halves(load_whole(multiplier, c + HALF, HALF))) + load_whole(bias, c + HALF, HALF)
    return saturate_pairs(even >> shift, odd >> shift)
