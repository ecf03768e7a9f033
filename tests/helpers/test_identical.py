"""The comparison that all other tests rely on."""

import inspect

import numpy as np
import pytest

from helpers.identical import assert_all_identical, assert_identical

A = np.arange(24, dtype=np.int16).reshape(2, 12)


def test_equal_arrays_pass():
    assert_identical(A, A.copy())
    assert_all_identical({"a": A}, {"a": A.copy()})


def test_one_bit_is_reported_with_its_place():
    b = A.copy()
    b[1, 3] ^= 4
    with pytest.raises(AssertionError, match=r"1 of 24 values differ, by at most 4[\s\S]*\(1, 3\): 15 and 11"):
        assert_identical(A, b)


def test_ten_places_are_shown_and_all_counted():
    with pytest.raises(AssertionError) as caught:
        assert_identical(A, A + np.int16(1))
    assert str(caught.value).startswith("24 of 24 values differ, by at most 1")
    assert str(caught.value).count("\n") == 10


@pytest.mark.parametrize("b", [A.astype(np.int32), A.astype(np.uint16), A.reshape(12, 2), A[:1], A.reshape(-1)])
def test_types_and_shapes_count(b):
    with pytest.raises(AssertionError, match="differ"):
        assert_identical(A, b)


def test_large_differences_do_not_wrap():
    low, high = (np.array([v], np.int64) for v in (-(1 << 63), (1 << 63) - 1))
    with pytest.raises(AssertionError, match=str((1 << 64) - 1)):
        assert_identical(low, high)


def test_there_is_no_tolerance():
    assert list(inspect.signature(assert_identical).parameters) == ["a", "b"]
