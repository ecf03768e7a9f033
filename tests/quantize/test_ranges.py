"""Scales and zero points put the calibrated ranges inside the codes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from intvit.quantize.ranges import asymmetric, encode, from_common_low, signed_codes, spread_scales, unsigned_codes
from intvit.quantize.recipe import Spread

VALUES = arrays(np.float64, 7, elements=st.floats(-1e3, 1e3, allow_subnormal=False))
SPREADS = st.builds(Spread, st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.sampled_from([1.0, 1.1, 1.5]))
CODES = st.sampled_from([4, 6, 8]).map(unsigned_codes)


@given(VALUES, VALUES, SPREADS, CODES)
def test_asymmetric_saturates_by_rounding_at_most(a, b, spread, codes):
    low, high = np.minimum(a, b), np.maximum(a, b)
    scale, zero_point = asymmetric(low, high, spread, codes)
    for value in (low, high):
        code = value / scale + zero_point
        assert (code >= codes.low - 1).all()
        assert (code <= codes.high + 1).all()
    assert (zero_point == np.floor(zero_point)).all()


@given(VALUES, SPREADS, CODES)
def test_common_low_has_one_zero_point_and_holds_every_channel(high, spread, codes):
    high = np.abs(high)
    scale, zero_point = from_common_low(np.full(7, -0.17), high, spread, codes)
    assert len(set(zero_point)) == 1
    assert (np.abs(encode(np.zeros(7), scale, zero_point, codes) - zero_point) == 0).all()
    assert (high / scale <= codes.high + 1).all()


@given(VALUES, st.sampled_from([1.0, 2.0]))
def test_strength_zero_is_per_tensor_and_one_follows_each_channel(width, margin):
    width = np.abs(width) + 1
    assert np.ptp(spread_scales(width, Spread(0.0, margin))) == 0
    np.testing.assert_allclose(spread_scales(width, Spread(1.0, margin)), margin * width)


def test_codes_of_some_bits():
    assert (unsigned_codes(6).low, unsigned_codes(6).high) == (0, 63)
    assert (signed_codes(4).low, signed_codes(4).high) == (-8, 7)


@pytest.mark.parametrize("value", [1e-6, 0.3, 40.0])
@pytest.mark.parametrize("spread", [Spread(0.0, 1.0), Spread(1.0, 1.0), Spread(0.25, 1.25)])
def test_what_never_varies_has_zero_points_that_weights_can_bear(value, spread):
    rows = np.array([value, -value / 3, value / 7])
    codes = unsigned_codes(8)
    scale, zero_point = asymmetric(rows, rows, spread, codes)
    assert np.abs(zero_point).max() <= 16 * codes.high + 128
    real = (encode(rows, scale, zero_point, codes) - zero_point) * scale
    np.testing.assert_allclose(real, rows, atol=scale.max())
