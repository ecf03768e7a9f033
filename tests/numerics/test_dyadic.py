"""Dyadic scales: how close they come and what they refuse."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intvit.numerics import Dyadic, common_shift

POSITIVE = st.builds(
    lambda mantissa, exponent: Fraction(mantissa) * Fraction(2) ** exponent,
    st.integers(1, (1 << 53) - 1),
    st.integers(-130, -25),
)
MIDDLE = st.builds(
    lambda mantissa, exponent: Fraction(mantissa, 1 << 52) * Fraction(2) ** exponent,
    st.integers(1 << 52, (1 << 53) - 1),
    st.integers(-32, 27),
)


@given(MIDDLE)
def test_nearest_is_exact_to_31_bits_where_the_shift_has_room(value):
    found = Dyadic.nearest(value)
    assert abs(found.to_fraction() / value - 1) <= Fraction(1, 1 << 31)
    assert found.multiplier >= 1 << 30


@given(POSITIVE)
def test_nearest_is_within_half_a_step_of_the_smallest_scale(value):
    found = Dyadic.nearest(value)
    assert abs(found.to_fraction() - value) <= Fraction(1, 1 << (found.shift + 1))
    assert found.shift == 62 or found.multiplier >= 1 << 30


@pytest.mark.parametrize("exponent", range(-62, 29))
@pytest.mark.parametrize("step", [-1, 0, 1])
def test_nearest_at_powers_of_two(exponent, step):
    value = Fraction(2) ** exponent + step * Fraction(2) ** -62
    found = Dyadic.nearest(value)
    assert abs(found.to_fraction() - value) <= max(value / (1 << 31), Fraction(1, 1 << 63))


def test_nearest_of_zero_and_of_a_float():
    assert Dyadic.nearest(0).to_fraction() == 0
    assert Dyadic.nearest(0.375).to_fraction() == Fraction(3, 8)


@pytest.mark.parametrize("value", [1 << 29, 1 << 40, -0.1, -1])
def test_nearest_refuses_what_does_not_fit(value):
    with pytest.raises(ValueError, match="multiplier"):
        Dyadic.nearest(Fraction(value))


@pytest.mark.parametrize(("multiplier", "shift"), [(-1, 5), (1 << 31, 5), (1, 1), (1, 63), (0, 0)])
def test_refuses_fields_out_of_range(multiplier, shift):
    with pytest.raises(ValueError, match="must lie in"):
        Dyadic(multiplier, shift)


@given(st.lists(st.tuples(MIDDLE, st.sampled_from([1, -1])), min_size=1, max_size=6), st.integers(8, 31))
def test_common_shift_bounds_every_error_by_half_a_step(signed, bits):
    values = [value * sign for value, sign in signed]
    if max(map(abs, values)) * 4 >= (1 << bits) - 1:
        with pytest.raises(ValueError, match="too large"):
            common_shift([Fraction(1 << bits)], bits)
        return
    multipliers, shift = common_shift(values, bits)
    assert 2 <= shift <= 62
    assert max(map(abs, multipliers)) < 1 << bits
    assert all(abs(Fraction(m, 1 << shift) - v) <= Fraction(1, 1 << (shift + 1))
               for m, v in zip(multipliers, values, strict=True))  # fmt: skip
    assert shift == 62 or max(map(abs, multipliers)) >= 1 << (bits - 1)


@given(st.lists(MIDDLE, min_size=1, max_size=4), st.integers(2, 62))
def test_common_shift_keeps_to_the_largest_shift_allowed(values, max_shift):
    assert common_shift(values, 62, max_shift)[1] <= max_shift


def test_common_shift_of_nothing_and_of_zeros():
    assert common_shift([]) == ([], 62)
    assert common_shift([Fraction(0)] * 3) == ([0, 0, 0], 62)


def test_common_shift_refuses_a_scale_beyond_all_floats():
    with pytest.raises(ValueError, match="too large"):
        common_shift([Fraction(10) ** 400])
