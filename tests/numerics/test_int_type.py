"""Integer types: limits, names, NumPy types and room to spare."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intvit.numerics import S8, S16, S32, S63, S64, U8, U16, Interval, IntType

STORED = [S8, U8, S16, U16, S32, S64]
KINDS = st.builds(IntType, st.integers(1, 64), st.booleans())


@pytest.mark.parametrize("kind", STORED, ids=str)
def test_agrees_with_numpy(kind):
    info = np.iinfo(kind.dtype)
    assert (kind.low, kind.high) == (info.min, info.max)
    assert IntType.of(kind.dtype) == kind
    assert IntType.parse(str(kind)) == kind


def test_63_bits_are_a_type_without_a_dtype():
    assert (S63.low, S63.high) == (-(1 << 62), (1 << 62) - 1)
    assert str(S63) == "s63"
    with pytest.raises(TypeError):
        _ = S63.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.bool_, np.complex64, np.dtype("U4"), object])
def test_refuses_what_is_no_integer(dtype):
    with pytest.raises(TypeError, match="integer"):
        IntType.of(np.dtype(dtype))


@pytest.mark.parametrize("text", ["", "s", "8", "i8", "f32", "u-8", "u8 ", "s 8", "S8"])
def test_refuses_names_of_no_type(text):
    with pytest.raises(ValueError, match="integer type"):
        IntType.parse(text)


@given(KINDS)
def test_counts_as_many_values_as_it_has_codes(kind):
    assert kind.high - kind.low + 1 == 1 << kind.bits
    assert kind.low in kind.interval
    assert kind.high in kind.interval
    assert kind.low - 1 not in kind.interval
    assert kind.high + 1 not in kind.interval


def holding(interval, signed):
    """Count the bits of the narrowest type that holds an interval, by trying."""
    return next(bits for bits in range(1, 200) if interval in IntType(bits, signed).interval)


@given(st.integers(-(1 << 70), 1 << 70), st.integers(0, 1 << 70), st.sampled_from([S8, S16, S32, S63, S64]))
def test_slack_is_the_width_less_the_needed_width(low, width, kind):
    interval = Interval(low, max(low + width, 0))
    assert kind.slack_bits(interval) == kind.bits - holding(interval, True)
    assert (kind.slack_bits(interval) >= 0) == (interval in kind.interval)


@given(st.integers(0, 1 << 70), st.integers(0, 1 << 70), st.sampled_from([U8, U16]))
def test_slack_of_an_unsigned_type(low, width, kind):
    interval = Interval(low, low + width)
    assert (kind.slack_bits(interval) >= 0) == (interval in kind.interval)


def test_unsigned_types_have_no_room_for_negative_values():
    assert U8.slack_bits(Interval(-1, 0)) < 0


def test_slack_of_an_interval_of_negative_values():
    assert S8.slack_bits(Interval(-128, -128)) == 0
