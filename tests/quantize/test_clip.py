"""Cutting ranges off: by the group that must decide alike, and never to a larger error than keeping them."""

import numpy as np

from intvit.quantize.clip import SHARES, best_shares


def test_each_group_takes_its_own_best_share():
    targets = np.array([1.0, 1.0, 0.3])

    def error(share):
        return (share - targets) ** 2 * np.array([1.0, 1e-6, 1.0])

    shares = best_shares(error, np.array([0, 0, 1]))
    assert shares[0] == shares[1]
    np.testing.assert_allclose(shares, targets, atol=0.05)


def test_the_whole_range_is_among_the_shares():
    assert min(SHARES) < 0.3
    assert min(abs(s - 1.0) for s in SHARES) < 0.05
