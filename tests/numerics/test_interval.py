"""Interval arithmetic: sound for every member, and as tight as it says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intvit.numerics import Interval

NUMBER = st.one_of(st.integers(-9, 9), st.integers(-(1 << 80), 1 << 80))
INTERVAL = st.tuples(NUMBER, NUMBER).map(lambda ends: Interval(min(ends), max(ends)))


@st.composite
def member(draw):
    interval = draw(INTERVAL)
    return interval, draw(st.integers(interval.low, interval.high))


@given(member(), member())
def test_sums_differences_and_products_hold_those_of_members(a, b):
    (left, x), (right, y) = a, b
    assert x + y in left + right
    assert x - y in left - right
    assert x * y in left * right
    assert x in left | right
    assert y in left | right


@given(member(), NUMBER)
def test_operations_with_numbers_hold_those_of_members(a, number):
    interval, x = a
    assert x + number in interval + number
    assert x - number in interval - number
    assert x * number in interval * number
    assert -x in -interval


@given(member(), st.integers(0, 90))
def test_shifts_hold_those_of_members(a, shift):
    interval, x = a
    assert x >> shift in interval >> shift


@given(member(), INTERVAL)
def test_clips_and_squares_hold_those_of_members(a, limits):
    interval, x = a
    assert min(max(x, limits.low), limits.high) in interval.clip(limits.low, limits.high)
    assert interval.clip(limits.low, limits.high) in limits
    assert x * x in interval.square()
    assert interval.square() in interval * interval
    assert abs(x) <= interval.magnitude


@given(st.integers(-6, 6), st.integers(0, 5), st.integers(-6, 6), st.integers(0, 5))
def test_results_are_the_smallest_possible(low, width, low2, width2):
    a, b = Interval(low, low + width), Interval(low2, low2 + width2)
    left, right = range(a.low, a.high + 1), range(b.low, b.high + 1)

    def hull(values):
        values = list(values)
        return Interval(min(values), max(values))

    assert a + b == hull(x + y for x in left for y in right)
    assert a - b == hull(x - y for x in left for y in right)
    assert a * b == hull(x * y for x in left for y in right)
    assert a | b == hull([*left, *right])
    assert a.square() == hull(x * x for x in left)
    assert a >> 1 == hull(x >> 1 for x in left)
    assert a.clip(-2, 3) == hull(min(max(x, -2), 3) for x in left)
    assert a.magnitude == max(map(abs, left))


@given(INTERVAL, INTERVAL)
def test_membership_of_intervals(a, b):
    assert (b in a) == (b.low in a and b.high in a)
    assert a in a | b


def test_refuses_ends_in_the_wrong_order():
    with pytest.raises(ValueError, match="low <= high"):
        Interval(1, 0)
