"""Medians, quartiles and ratios of given times."""

import pytest

from intvit.bench.statistics import Spread, ratio, spread


def test_spread_is_median_and_quartiles():
    assert spread([5, 1, 4, 2, 3]) == Spread(median=3, low=2, high=4)
    assert spread([7]) == Spread(7, 7, 7)
    assert spread([1, 2, 3, 4]).scaled(10) == Spread(median=25, low=17.5, high=32.5)


def test_ratio_of_medians_and_by_round():
    found = ratio([2, 8, 9], [1, 2, 3])
    assert found.of_medians == 8 / 2
    assert found.by_round == Spread(median=3, low=2.5, high=3.5)


def test_a_round_that_was_slow_for_both_does_not_count():
    assert ratio([2, 20, 2], [1, 10, 1]).by_round == Spread(2, 2, 2)


def test_rounds_must_match():
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])
