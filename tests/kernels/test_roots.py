"""Square roots and divisions by them in vector lanes: exact everywhere, most of all where the result changes."""

import math

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from intvit.kernels import roots
from intvit.kernels.vector import load, store

LANES = 8
QUICK = settings(max_examples=30, deadline=None)


@numba.njit
def find_roots(x, n, root, quotient):
    for c in range(0, len(x), LANES):
        number = load(x, c, LANES, 1 << 60)
        inverse = roots.inverse_root(number)
        found = roots.square_root(number, inverse)
        store(root, c, found)
        store(quotient, c, roots.divide(load(n, c, LANES, 0), found, inverse))


def assert_roots(numbers):
    """Compare roots, and quotients by them: of the dividend that LayerNorm has, and of those where the quotient changes."""
    x, want = np.array(numbers, np.int64), [math.isqrt(number) for number in numbers]
    for q in (None, 0, 1, 12345, (1 << 31) - 1):
        for rest in (0, -1):
            n = [(1 << 61) - 1 if q is None else max(q * root + rest, 0) for root in want]
            root, quotient = np.zeros((2, len(x)), np.int64)
            find_roots(x, np.array(n, np.int64), root, quotient)
            assert root.tolist() == want
            assert quotient.tolist() == [a // b for a, b in zip(n, want, strict=True)]


def test_square_roots_across_the_whole_range():
    tops = range(1 << 14, 1 << 16)
    assert_roots([top << 46 for top in tops])
    assert_roots([((top + 1) << 46) - 1 for top in tops])


@given(st.lists(st.integers(1 << 30, (1 << 31) - 1), min_size=200, max_size=200))
@QUICK
def test_square_roots_around_squares(numbers):
    for change in (0, -1, 1):
        squares = [n * n + change for n in (*numbers, 1 << 30, (1 << 31) - 1)]
        assert_roots([min(max(square, 1 << 60), (1 << 62) - 1) for square in squares])
    assert_roots([n * (n + 2) for n in numbers])
