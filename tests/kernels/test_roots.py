"""Square roots and quotients in vector lanes: exact everywhere, most of all where the result changes."""

import math

import numba
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from intvit.kernels import roots
from intvit.kernels.vector import load, store

LANES = 8
QUICK = settings(max_examples=30, deadline=None)
divisors = st.one_of(st.integers(1, (1 << 31) - 1), st.integers(0, 30).map(lambda bits: 1 << bits), st.integers(1, 300))


@numba.njit
def find_roots(x, root, reciprocal):
    for c in range(0, len(x), LANES):
        number = load(x, c, LANES, 1 << 60)
        inverse = roots.inverse_root(number)
        found = roots.square_root(number, inverse)
        store(root, c, found)
        one = number | ((1 << 62) - 1)
        store(reciprocal, c, roots.divide((one & ((1 << 61) - 1)), found, inverse << 1, one & 0, inverse))


@numba.njit
def find_quotients(n, d, q):
    for c in range(0, len(n), LANES):
        store(q, c, roots.quotient(load(n, c, LANES, 1), load(d, c, LANES, 1)))


def assert_roots(numbers):
    x = np.array(numbers, np.int64)
    root, reciprocal = np.zeros((2, len(x)), np.int64)
    find_roots(x, root, reciprocal)
    want = [math.isqrt(number) for number in numbers]
    assert root.tolist() == want
    assert reciprocal.tolist() == [((1 << 61) - 1) // number for number in want]


def assert_quotients(pairs):
    n, d = np.array(pairs, np.int64).T
    q = np.zeros(len(n), np.int64)
    find_quotients(np.ascontiguousarray(n), np.ascontiguousarray(d), q)
    assert q.tolist() == [a // b for a, b in pairs]


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


@given(st.lists(st.tuples(divisors, st.integers(0, (1 << 31) - 1), st.floats(0, 1)), min_size=200, max_size=200))
@QUICK
def test_quotients_at_their_edges(cases):
    for q in (None, 0, 1, (1 << 31) - 1):
        for rest in (lambda d, _: 0, lambda d, _: d - 1, lambda d, part: int(part * (d - 1))):
            assert_quotients([((number if q is None else q) * d + rest(d, part), d) for d, number, part in cases])


def test_quotients_of_every_small_pair():
    assert_quotients([(n, d) for d in range(1, 130) for n in range(300)])
