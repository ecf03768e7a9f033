"""GeluTable whose bump is 256 bytes: `(relu(x) - (byte << b)) m` as one sum of two products of words, in lanes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.aligned import aligned_copy
from intvit.kernels.gelu import VALUE_BITS
from intvit.kernels.integer import share
from intvit.kernels.jit import Scalar, device, kernel
from intvit.kernels.lanes import first_fours, halves, last_fours, pair_dot, zip_high, zip_low
from intvit.kernels.lookup import ENTRIES, lookup
from intvit.kernels.store_codes import middle_of, store_fours
from intvit.kernels.vector import WIDE, cast, larger, load

Array = NDArray[Any]

BLOCK = 16
"""Rows of a block."""
HALF = WIDE // 2


class ByteBump(NamedTuple):
    """A bump as the kernel reads it.

    Attributes:
        table: u8 [256]; `table << bump_shift` are in steps of x.
        bump_shift: b.
        shift: of the rescale of values in steps of x.
    """

    table: Array
    bump_shift: int
    shift: int


def byte_bump(
    table: Array, fraction_bits: int, index_shift: int, multiplier: Array, shift: int, zero_point: int
) -> ByteBump | None:
    """Return the bump of a `GeluTable` as bytes, or None where the kernel's lanes would not hold all that it computes.

    Args:
        table, index_shift: of the operator; s16 [..] with 15 fraction bits.
        fraction_bits: of x.
        multiplier: s32 [C], non-negative.
        shift, zero_point: of the output, which has 8 bits.
    """
    down, entries = VALUE_BITS - fraction_bits, table.astype(np.int64)
    bump_shift = max(0, (int(entries.max()) >> down).bit_length() - 8)
    unit, shift = 1 << (down + bump_shift), shift - down
    as_bytes = len(entries) == ENTRIES and index_shift > 0 and not (entries % unit).any() and int(entries.min()) >= 0
    # Products of words are below 2^30; the rounding and a signed zero point, which are added to them, must be so, too.
    as_words = int(multiplier.max()) << bump_shift < 1 << 15
    as_sums = shift > 0 and (abs(zero_point) + 129) << shift <= 1 << 30
    if not (as_bytes and as_words and as_sums):
        return None
    return ByteBump(aligned_copy((entries // unit).astype(np.uint8)), bump_shift, shift)


@kernel()
def gelu_bytes(
    x: Array, multiplier: Array, table: Array, index_shift: int, bump_shift: int,
    shift: int, zero_point: int, low: int, high: int, y: Array, part: int, parts: int,
) -> None:  # fmt: skip
    """Compute GELU and requantize it.

    Args:
        x: s16 [R, C].
        multiplier: s32 [C], non-negative.
        table, bump_shift, shift: of `byte_bump`.
        index_shift: of the operator.
        zero_point, low, high: of the output.
        y: the codes, s8 or u8.
    """
    start, stop = share(len(y), part, parts)
    numbers = (index_shift, bump_shift, shift, zero_point, low, high)
    for r in range(start, stop, BLOCK):
        end = min(r + BLOCK, stop)
        gelu_bytes_block(x[r:end], multiplier, table, numbers, y[r:end])


@device
def gelu_bytes_block(x: Array, multiplier: Array, table: Array, numbers: Any, y: Array) -> None:
    """Compute rows that are in the first cache, all of a few columns before the next ones.

    Args:
        x, y: [R, C], contiguous in C.
        multiplier, table: as above.
        numbers: index_shift, bump_shift, shift, zero_point, low, high.
    """
    index_shift, bump_shift, shift, zero_point, low, high = numbers
    middle = middle_of(y, high)
    start = (np.int64(1) << np.int64(shift - 1)) + (np.int64(zero_point - middle) << np.int64(shift))
    for c in range(0, y.shape[1], WIDE):
        m0, m1 = load(multiplier, c, HALF, 0), load(multiplier, c + HALF, HALF, 0)
        first_factors, last_factors = factors(first_fours(m0, m1), bump_shift), factors(last_fours(m0, m1), bump_shift)
        for r in range(len(y)):
            values = load(x[r], c, WIDE, 0)
            size, relu = cast(larger(values, 0 - values), np.uint16), larger(values, 0)
            bump = lookup(table, cast(size >> index_shift, np.int16))
            first = (pair_dot(zip_low(relu, bump), first_factors) + start) >> shift
            last = (pair_dot(zip_high(relu, bump), last_factors) + start) >> shift
            store_fours(y[r], c, first, last, middle, low, high)


@device
def factors(multiplier: Scalar, bump_shift: Scalar) -> Scalar:
    """Return each multiplier m and `-m << bump_shift` as two words."""
    return halves(multiplier - (multiplier << (16 + bump_shift)))
