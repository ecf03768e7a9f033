"""Constants fitted to activations: near the published ones on an even grid, and never worse than them on what was seen."""

import math

import numpy as np
import pytest

from intvit.quantize.fit_erf import fit_erf
from intvit.quantize.lower.gelu_erf import I_BERT, QUARTIC

EVEN = np.linspace(-3, 3, 6001)
SEEN = {"even": EVEN, "near zero": np.random.default_rng(0).normal(-0.5, 0.7, 20000), "far": np.linspace(-9, 20, 3000)}


def gelu_error(u, a, b, power):
    """The root of the mean squared error of GELU at x = sqrt(2) u."""
    erf = np.array([math.erf(v) for v in u])
    found = np.sign(u) * (a * (np.minimum(abs(u), -b) + b) ** power + 1)
    return np.sqrt((((found - erf) * u / math.sqrt(2)) ** 2).mean())


def test_the_fit_gives_the_constants_of_i_bert_back():
    a, b = fit_erf(EVEN, 2)
    assert abs(a - I_BERT[0]) < 2e-3
    assert abs(b - I_BERT[1]) < 5e-3


@pytest.mark.parametrize("u", SEEN.values(), ids=SEEN)
def test_a_fitted_quartic_halves_the_published_one_s_error(u):
    assert gelu_error(u, *fit_erf(u, 4), 4) < 0.6 * gelu_error(u, *QUARTIC, 4)


@pytest.mark.parametrize("power", [2, 4])
@pytest.mark.parametrize("u", SEEN.values(), ids=SEEN)
def test_no_neighbour_is_better(u, power):
    a, b = fit_erf(u, power)
    best = gelu_error(u, a, b, power)
    for change in (0.99, 1.01):
        assert gelu_error(u, a * change, b, power) > best * (1 - 1e-3)
        assert gelu_error(u, a, b * change, power) > best * (1 - 1e-3)


def test_the_same_points_in_any_order_give_the_same_constants():
    assert fit_erf(EVEN, 4) == fit_erf(EVEN[::-1].copy(), 4) == fit_erf(-EVEN[:, None], 4)


def test_zeros_alone_can_not_be_fitted():
    with pytest.raises(ValueError, match="zeros"):
        fit_erf(np.zeros(5), 4)
