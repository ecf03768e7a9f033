"""The tiles of every SIMD level, NEON's with a dot product in software: all tails, extremes that would saturate, codes."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiles import codes, product, software_dot

from intvit.kernels import sums_ir
from intvit.kernels.codes_ir import fits_high_half
from intvit.kernels.simd import Level, supported_levels
from intvit.numerics import rescale

EXTREMES = {np.uint8: (0, 255), np.int8: (-128, 127), np.uint16: (0, 65535), np.int16: (-32768, 32767)}
LEVELS = [*supported_levels(), *{Level.NEON_DOT} - {*supported_levels()}]


@pytest.fixture(scope="module", autouse=True)
def neon_in_software():
    """Lets machines without NEON's dot product run its tiles, with its packing and its flips."""
    with pytest.MonkeyPatch.context() as patch:
        if Level.NEON_DOT not in supported_levels():
            patch.setitem(sums_ir.DOTS, Level.NEON_DOT, software_dot)
        yield


def operands(rng, rows, depth, columns, kind):
    x = rng.integers(*EXTREMES[kind], (rows, depth), kind, endpoint=True)
    return x, rng.integers(-128, 128, (depth, columns)).astype(np.int8), rng.integers(-(1 << 20), 1 << 20, columns)


def exact(x, weight, bias):
    return x.astype(np.int64) @ weight.astype(np.int64) + bias


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("rows", [*range(1, 21), 63, 66, 197])
def test_every_tail_of_rows_columns_and_depth(level, kind, rows):
    rng = np.random.default_rng(rows)
    for columns in [*range(1, 21), 32, 48, *range(63, 67), 80, 81, 197]:
        case = operands(rng, rows, int(rng.choice([*range(1, 21), 63, 64, 65, 66, 197])), columns, kind)
        np.testing.assert_array_equal(product(level, *case), exact(*case))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("depth", [*range(1, 21), 63, 64, 65, 66, 197, 3072])
def test_extremes_do_not_saturate(level, kind, depth):
    for code in (*EXTREMES[kind], 0, 1, 127):
        for factor in (-128, 127) if depth * abs(code) < 1 << 24 else (-10, 10):
            case = np.full((7, depth), code, kind), np.full((depth, 65), factor, np.int8), np.zeros(65, np.int64)
            np.testing.assert_array_equal(product(level, *case), exact(*case))


@pytest.mark.parametrize("level", LEVELS)
def test_sums_may_wrap_on_their_way(level):
    """Sums grow beyond 32 bits; what comes later and the bias bring the total back."""
    x, weight = np.full((7, 800), 127 << 8, np.int16), np.full((800, 65), 100, np.int8)
    x[:, 700:], weight[700:] = 255, -128
    assert exact(x[:, :700], weight[:700], 0).min() > (1 << 31) - 1
    for bias in (-(1 << 30), -((1 << 31) - 1)):
        case = x, weight, np.full(65, bias, np.int64)
        np.testing.assert_array_equal(product(level, *case), exact(*case))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("depth", [1, 2, 3, 64, 65, 197])
def test_right_operands_of_16_bits(level, kind, depth):
    """Random codes, and extremes of both signs, up to the largest sums that 32 bits hold."""
    rng, largest = np.random.default_rng(depth), max(abs(code) for code in EXTREMES[kind])
    limit = min(32767, ((1 << 31) - 1) // (depth * largest))
    for columns in (1, 16, 65, 197):
        x, _, _ = operands(rng, 13, depth, columns, kind)
        signs = np.where(x > np.mean(EXTREMES[kind]), limit, -limit)[0, :, None]
        for weight in (rng.integers(-limit, limit, (depth, columns), endpoint=True), np.broadcast_to(signs, (depth, columns))):
            case = x, weight.astype(np.int16), np.zeros(columns, np.int64)
            np.testing.assert_array_equal(product(level, *case), exact(*case))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", EXTREMES)
@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
@given(
    seed=st.integers(0, 999),
    rows=st.integers(1, 14),
    columns=st.integers(1, 140),
    depth=st.integers(1, 40),
    shift=st.integers(20, 62),
    bounds=st.tuples(st.integers(0, 300), st.integers(0, 300)),
)
@settings(max_examples=25)
def test_codes(level, kind, dtype, seed, rows, columns, depth, shift, bounds):
    """Rescaled, shifted by a zero point and clipped as the reference does it; u8 and u16 by their bits."""
    rng = np.random.default_rng(seed)
    unsigned = seed % 2 and dtype != np.int32
    info = np.iinfo(np.dtype(dtype).str.replace("i", "u") if unsigned else dtype)
    low, high = info.min + bounds[0] * info.max // 1000, info.max - bounds[1] * info.max // 1000
    zero_point = int(rng.choice([0, low, high, *rng.integers(low, high, 3)]))
    zero_point = max(-(1 << 30), min(zero_point, 1 << 30))
    x, weight, bias = operands(rng, rows, depth, columns, kind)
    bias *= int(rng.choice([1, 1 << 10]))
    multiplier = rng.integers(0, 1 << 31, columns)
    sums = exact(x, weight, bias)
    assume(fits_high_half(int(np.abs(sums).max()), shift, zero_point, low, high))
    want = np.clip(rescale(sums, multiplier, shift) + zero_point, low, high)
    got = codes(level, x, weight, bias, multiplier, (shift, zero_point, low, high), dtype)
    np.testing.assert_array_equal(got, want.astype(info.dtype).view(dtype))
