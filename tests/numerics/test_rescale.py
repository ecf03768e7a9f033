"""The one rounding, narrowing and the square root, against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intvit.numerics import S8, S16, S32, S64, U8, U16, isqrt, rescale, saturate, shift_right

HALF = Fraction(1, 2)
CORNERS = sorted({s * (1 << k) + d for k in range(0, 32, 3) for d in (-1, 0, 1) for s in (1, -1)} | {0, (1 << 31) - 1})
MULTIPLIERS = sorted({min((1 << k) + d, (1 << 31) - 1) for k in range(0, 32, 2) for d in (-1, 0, 1)})
SHIFTS = [2, 3, 7, 15, 16, 30, 31, 32, 46, 61, 62]


def exact(x, multiplier, shift):
    """Round x * multiplier / 2**shift to the nearest integer, halves up."""
    return math.floor(Fraction(x * multiplier, 1 << shift) + HALF)


def fits(x, multiplier, shift):
    return x * multiplier + (1 << (shift - 1)) < 1 << 63


@pytest.mark.parametrize("shift", SHIFTS)
def test_rescale_at_all_corner_triples(shift):
    triples = [(x, m) for x in CORNERS for m in MULTIPLIERS if fits(x, m, shift)]
    x, multiplier = (np.array(values, np.int64) for values in zip(*triples, strict=True))
    got = rescale(x, multiplier, shift)
    assert got.dtype == np.int64
    assert got.tolist() == [exact(a, m, shift) for a, m in triples]


@given(st.integers(-(1 << 31), (1 << 31) - 1), st.integers(-(1 << 31), (1 << 31) - 1), st.integers(2, 62))
def test_rescale_anywhere(x, multiplier, shift):
    assert rescale(np.array([x], np.int32), multiplier, shift).tolist() == [exact(x, multiplier, shift)]


@pytest.mark.parametrize("shift", SHIFTS)
def test_halves_round_towards_plus_infinity(shift):
    half = 1 << (shift - 1)
    x = np.array([half, -half, 3 * half, -3 * half][: 4 if shift < 61 else 2], np.int64)
    assert rescale(x, 1, shift).tolist() == [1, 0, 2, -1][: len(x)]
    assert rescale(x - 1, 1, shift).tolist() == [0, -1, 1, -2][: len(x)]


def test_rescale_broadcasts_its_multipliers():
    x = np.arange(-6, 6, dtype=np.int32).reshape(2, 2, 3)
    multiplier = np.array([1, 0, -5], np.int32)
    wanted = [[[exact(v, m, 2) for v, m in zip(row, (1, 0, -5), strict=True)] for row in plane] for plane in x.tolist()]
    assert rescale(x, multiplier, 2).tolist() == wanted


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 62))
def test_shift_right_floors(x, shift):
    assert shift_right(np.array([x], np.int64), shift).tolist() == [math.floor(Fraction(x, 1 << shift))]


@pytest.mark.parametrize("kind", [S8, U8, S16, U16, S32, S64], ids=str)
@given(data=st.data())
def test_saturate_clips_and_narrows(kind, data):
    x = data.draw(st.integers(-(1 << 63), (1 << 63) - 1))
    low, high = sorted(data.draw(st.lists(st.integers(kind.low, kind.high), min_size=2, max_size=2)))
    array = np.array([x], np.int64)
    assert saturate(array, kind).dtype == kind.dtype
    assert saturate(array, kind).tolist() == [min(max(x, kind.low), kind.high)]
    assert saturate(array, kind, low, high).tolist() == [min(max(x, low), high)]


@given(st.integers(0, (1 << 62) - 1))
def test_isqrt_anywhere(x):
    assert isqrt(np.array([[x]], np.int64)).tolist() == [[math.isqrt(x)]]


def test_isqrt_at_and_below_squares():
    roots = [*range(1, 20000), *((1 << k) + d for k in range(15, 31) for d in (-1, 0, 1)), (1 << 31) - 1]
    squares = np.array([root * root for root in roots], np.int64)
    assert isqrt(squares).tolist() == roots
    assert isqrt(squares - 1).tolist() == [root - 1 for root in roots]
    assert isqrt(np.array([0, (1 << 62) - 1])).tolist() == [0, (1 << 31) - 1]
