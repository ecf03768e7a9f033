"""The operators that work row by row or element by element, against their references."""

import numpy as np
import pytest
from helpers.attention import bump_table
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from single_op import ALL_TYPES, assert_equals_reference, claims_hold, full_range, random_codes

from intvit import ops
from intvit.kernels.gelu_bytes import byte_bump
from intvit.kernels.gelu_polynomial import gelu_polynomial, gelu_steps
from intvit.kernels.softmax_polynomial import exponential_steps
from intvit.kernels.softmax_rows import exponential_thresholds, softmax_rows
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.softmax_octave import octave
from intvit.ops.softmax_polynomial import CHORD, CUBIC, QUADRATIC

RNG = np.random.default_rng(0)
SEEDS = st.integers(0, 1 << 20)
SHIFTS = st.sampled_from([2, 15, 31, 32, 33, 34, 45, 60])
ROWS, CHANNELS = st.integers(1, 9), st.integers(1, 70)
QUICK = settings(max_examples=60, deadline=None)


@given(SEEDS, st.sampled_from([(np.int16, np.int16), (np.uint8, np.int8), (np.int32, np.int16), (np.int8, np.int8)]),
       st.sampled_from(ALL_TYPES), SHIFTS, st.sampled_from(["same", "row", "scalar", "outer"]))  # fmt: skip
@QUICK
def test_add(seed, kinds, to, shift, broadcast):
    rng = np.random.default_rng(seed)
    shapes = {"same": [(3, 21)] * 2, "row": [(3, 21), (21,)], "scalar": [(3, 21), (1, 1)], "outer": [(3, 1), (1, 21)]}
    a, b = (random_codes(rng, shape, kind) for shape, kind in zip(shapes[broadcast], kinds, strict=True))
    m_a, m_b = (int(m) for m in rng.integers(0, 1 << 30, 2))
    op = ops.Add(multiplier_a=m_a, multiplier_b=m_b, shift=shift, **full_range(to, zero_point=-5))
    assert_equals_reference(op, [a, b])
    assert_equals_reference(op, [a], [b])


EDGES = [0, 1, (1 << 15) - 1, 1 << 15, (1 << 16) + (1 << 15), (1 << 31) - (1 << 15) - 1, (1 << 31) - (1 << 15), (1 << 31) - 1]


@pytest.mark.parametrize("shift", [16, 17, 31, 46, 47, 60])
@pytest.mark.parametrize("multipliers", [(a, b) for a in EDGES for b in EDGES[::3]])
def test_add_at_the_edges_of_16_bit_limbs(multipliers, shift):
    extremes = np.array([-(1 << 15), -1, 0, (1 << 15) - 1], np.int16)
    a, b = (grid.ravel() for grid in np.meshgrid(extremes, extremes))
    for zero_point in (0, -7, (1 << 31) - 1):
        op = ops.Add(
            multiplier_a=multipliers[0], multiplier_b=multipliers[1], shift=shift, **full_range(np.int16, zero_point=zero_point)
        )
        assert_equals_reference(op, [a, b])


@given(SEEDS, st.sampled_from([np.uint8, np.int16, np.int32]), st.sampled_from(ALL_TYPES), SHIFTS,
       st.sampled_from([(1,), (17,), (1, 1, 17), (2, 1, 1), (2, 3, 17)]))  # fmt: skip
@QUICK
def test_requantize(seed, kind, to, shift, factors):
    rng = np.random.default_rng(seed)
    x, multiplier = random_codes(rng, (2, 3, 17), kind), random_codes(rng, factors, np.int32, 0, 1 << 30)
    op = ops.Requantize(shift=shift, input_zero_point=77, **full_range(to, zero_point=3))
    assert_equals_reference(op, [x], [multiplier])


@given(SEEDS, st.sampled_from([np.uint8, np.int16]), st.sampled_from([(1,), (0, 1), (2,), (0, 2), (0, 1, 2)]), SHIFTS)
@QUICK
def test_mean(seed, kind, axes, shift):
    rng = np.random.default_rng(seed)
    x = random_codes(rng, (3, 37, 19), kind)
    op = ops.Mean(axes=axes, multiplier=int(rng.integers(1 << 31)), shift=shift, **full_range(np.int16, zero_point=3))
    assert_equals_reference(op, [x])


@given(SEEDS, ROWS, CHANNELS, st.sampled_from([np.uint8, np.int16, np.int32]), st.sampled_from([np.uint8, np.int16]),
       st.sampled_from([2, 30, 32, 33, 34, 40]), st.sampled_from([1, 7, 10**6, 10**12]))  # fmt: skip
@QUICK
def test_layer_norm(seed, rows, channels, kind, to, shift, epsilon):
    rng = np.random.default_rng(seed)
    limit = (1 << 22) if kind is np.int32 else None
    x = random_codes(rng, (rows, channels), kind, -limit if limit else None, limit)
    multiplier = random_codes(rng, channels, np.int32, -(1 << 28), 1 << 28)
    bias = random_codes(rng, channels, np.int64, -(1 << 50), 1 << 50)
    op = ops.LayerNorm(epsilon=epsilon, shift=shift, **full_range(to, zero_point=11))
    assert_equals_reference(op, [x], [multiplier, bias])


@given(SEEDS, ROWS, CHANNELS, st.sampled_from([np.int8, np.int16, np.int32]), st.sampled_from(ALL_TYPES), SHIFTS)
@QUICK
def test_layer_norm_newton(seed, rows, channels, kind, to, shift):
    rng = np.random.default_rng(seed)
    x = random_codes(rng, (rows, channels), kind)
    multiplier = random_codes(rng, channels, np.int32)
    bias = random_codes(rng, channels, np.int64, -(1 << 60), 1 << 60)
    op = ops.LayerNormNewton(shift=shift, **full_range(to, zero_point=11))
    assume(claims_hold(op, [x], [multiplier, bias]))
    assert_equals_reference(op, [x], [multiplier, bias])


@given(SEEDS, ROWS, CHANNELS, st.sampled_from([1, 5, 12, 256, 700]), st.integers(0, 31), st.sampled_from(ALL_TYPES), SHIFTS)
@QUICK
def test_gelu_shift(seed, rows, channels, unit, n, to, shift):
    rng = np.random.default_rng(seed)
    top = int(rng.integers(-127, 128))
    x, multiplier = random_codes(rng, (rows, channels), np.int8, None, top), random_codes(rng, channels, np.int32, 0)
    op = ops.GeluShift(unit=unit, n=n, shift=shift, **full_range(to, zero_point=3))
    assume(claims_hold(op, [x], [multiplier]))
    assert_equals_reference(op, [x], [multiplier])


@given(SEEDS, ROWS, CHANNELS, st.sampled_from([np.int8, np.int16]), st.sampled_from([2, 4]), st.integers(1, 1 << 15),
       st.sampled_from(ALL_TYPES), SHIFTS)  # fmt: skip
@QUICK
def test_gelu_erf(seed, rows, channels, kind, power, knee, to, shift):
    rng = np.random.default_rng(seed)
    x, multiplier = random_codes(rng, (rows, channels), kind), random_codes(rng, channels, np.int32, 0)
    numbers = {"power": power, "knee": knee, "one": 1 << 14, "erf_shift": max(0, power * knee.bit_length() - 14)}
    op = ops.GeluErf(shift=shift, **numbers, **full_range(to, zero_point=3))
    assume(claims_hold(op, [x], [multiplier]))
    assert_equals_reference(op, [x], [multiplier])


@pytest.mark.parametrize("bits", range(1, 61))
def test_layer_norm_of_every_variance_size(bits):
    """The square root is exact for every bit length of the variance."""
    x = np.zeros((1, 5), np.int16)
    op = ops.LayerNorm(epsilon=(1 << bits) - 1, shift=34, **full_range(np.uint8))
    assert_equals_reference(op, [x], [np.full(5, 1 << 20, np.int32), np.arange(5) << 34])


@pytest.mark.parametrize("kind", [np.int8, np.int16])
@pytest.mark.parametrize("channels", [1, 2, 31, 33, 768, 3000])
def test_layer_norm_of_extremes(channels, kind):
    """The largest sums and the largest variance, then the least."""
    info, x = np.iinfo(kind), np.zeros((4, channels), kind)
    x[0], x[1, ::2], x[1, 1::2], x[2], x[3, -1] = info.min, info.min, info.max, info.max, 1
    multiplier = np.full(channels, -(1 << 20), np.int32)
    op = ops.LayerNorm(epsilon=1, shift=38, **full_range(np.int16))
    assert_equals_reference(op, [x], [multiplier, np.arange(channels, dtype=np.int64) << 30])


POLYNOMIALS = ops.SoftmaxPolynomial, ops.SoftmaxPolynomialWide


@given(SEEDS, st.integers(1, 3), ROWS, st.one_of(CHANNELS, st.just(197)), st.sampled_from([2, 15, 31, 45]),
       st.sampled_from([CHORD, QUADRATIC, CUBIC, "octave", None]))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_softmax(seed, heads, rows, columns, shift, coefficients):
    rng = np.random.default_rng(seed)
    x = random_codes(rng, (1, heads, rows, columns), np.int32)
    multiplier = random_codes(rng, (heads, 1, 1), np.int32, 0, 1 << 29)
    if coefficients is None:
        table = np.sort(random_codes(rng, int(rng.integers(2, 999)), np.uint8))[::-1].copy()
        table[0] = 255
        assert_equals_reference(ops.SoftmaxTable(shift=shift), [x], [multiplier, table])
    elif coefficients == "octave":
        table = np.sort(random_codes(rng, 64, np.int16, 0, 4080))[::-1].copy()
        table[0] = 4080
        assert_equals_reference(ops.SoftmaxOctave(shift=shift), [x], [multiplier, table])
    else:
        for kind in POLYNOMIALS:
            assert_equals_reference(kind(shift=shift, coefficients=coefficients), [x], [multiplier])


LAYOUTS = st.integers(2, 8).flatmap(lambda bits: st.tuples(st.just(bits), st.integers(1, bits - 1)))


@given(SEEDS, st.integers(1, 3), ROWS, st.one_of(CHANNELS, st.just(197)), st.sampled_from([2, 15, 31, 45]), LAYOUTS)
@QUICK
def test_softmax_two_scale(seed, heads, rows, columns, shift, layout):
    rng = np.random.default_rng(seed)
    bits, coarse_shift = layout
    x = random_codes(rng, (1, heads, rows, columns), np.int32)
    multiplier = random_codes(rng, (heads, 1, 1), np.int32, 0, 1 << 29)
    table = random_codes(rng, int(rng.integers(2, 999)), np.uint8, 0, (1 << bits) - 1)
    table[0] = (1 << bits) - 1
    op = ops.SoftmaxTwoScale(shift=shift, bits=bits, coarse_shift=coarse_shift)
    assert_equals_reference(op, [x], [multiplier, table])


@given(SEEDS, ROWS, CHANNELS, st.sampled_from(ALL_TYPES), SHIFTS, LAYOUTS, st.integers(-999, 999))
@QUICK
def test_two_scale_codes(seed, rows, channels, kind, shift, layout, zero_point):
    rng = np.random.default_rng(seed)
    bits, coarse_shift = layout
    numbers = {"bits": bits, "coarse_shift": coarse_shift}
    multiplier = int(rng.integers(1 << min(30, shift)))
    x = random_codes(rng, (2, rows, channels), kind)
    op = ops.TwoScaleEncode(multiplier=multiplier, shift=shift, zero_point=zero_point, **numbers)
    assert_equals_reference(op, [x])
    codes = random_codes(rng, (2, rows, channels), np.uint8)
    assert_equals_reference(ops.TwoScaleDecode(**numbers), [codes])


@given(SEEDS, ROWS, CHANNELS, st.integers(1, 7), st.integers(1, 70), st.sampled_from([1, 3]))
@QUICK
def test_append_residuals(seed, rows, channels, bits, count, threads):
    rng = np.random.default_rng(seed)
    x = random_codes(rng, (2, rows, channels), np.int16, *((0, 255 << bits) if rng.integers(2) else ()))
    op = ops.AppendResiduals(bits=bits, channels=tuple(rng.integers(0, channels, count).tolist()))
    assert_equals_reference(op, [x], threads=threads)


@pytest.mark.parametrize("kind", POLYNOMIALS)
@pytest.mark.parametrize("coefficients", [CHORD, QUADRATIC, CUBIC])
def test_softmax_polynomial_at_every_distance(kind, coefficients):
    x = np.pad(-np.arange(1 << 20, dtype=np.int32).reshape(-1, 1 << 14), ((0, 0), (1, 0)))
    op = kind(shift=2, coefficients=coefficients)
    assert_equals_reference(op, [x], [np.array([[4]], np.int32)])


def assert_softmax_equals_reference(x, multiplier, shift, coefficients, steps):
    """Compare one row with the reference, for any form of the constants."""
    for kind in POLYNOMIALS:
        e, row_sum = np.zeros(x.shape, kind.codes.dtype), np.zeros(1, np.int32)
        factor = np.array([multiplier], np.int32)
        rounding = kind.value_bits, kind.threshold_bits, exponential_thresholds(kind.thresholds)
        softmax_rows.bind(x, factor, shift, steps, *rounding, e, row_sum)()
        want = kind(shift=shift, coefficients=coefficients).reference(x, factor[:, None])
        np.testing.assert_array_equal(e, want[0])
        assert row_sum == want[1]


@pytest.mark.parametrize("multiplier", [0, 1, (1 << 21) - 1, 1 << 21, 1 << 30, (1 << 31) - 1])
@pytest.mark.parametrize("shift", [2, 13, 14, 15, 26, 32, 33, 34, 50])
def test_softmax_polynomial_of_every_size_of_multiplier_and_shift(multiplier, shift):
    """In 16 bits and in 32: every distance to its first zero, and the largest ones."""
    scale = multiplier / (1 << shift)
    end = min(1 << 20, int(13 * (1 << 15) / scale) + 9) if scale else 99
    x = np.unique(np.linspace(0, end, 40000, dtype=np.int64))
    x = (5 - np.concatenate([x, [1 << 20, 1 << 29]])).astype(np.int32).reshape(1, -1)
    assert exponential_steps(CUBIC).dtype == np.uint16
    for steps in (exponential_steps(CUBIC), np.array(CUBIC, np.int32)):
        assert_softmax_equals_reference(x, multiplier, shift, CUBIC, steps)


@pytest.mark.parametrize("columns", [4095, 4096, 4097, 9000, 70000])
def test_softmax_polynomial_of_long_rows(columns):
    """The sum of as many exponentials of 255."""
    assert_softmax_equals_reference(np.full((1, columns), -9, np.int32), 1 << 30, 30, CUBIC, exponential_steps(CUBIC))


@pytest.mark.parametrize("multiplier", [0, 1, 655, 19661, (1 << 22) + 1, 123_456_789, (1 << 29) - 1, 1 << 29, (1 << 31) - 1])
@pytest.mark.parametrize("shift", [2, 21, 22, 23, 31, 50])
@pytest.mark.parametrize("top", [1, 63, 255])
def test_softmax_octave_of_every_size_of_multiplier_and_shift(multiplier, shift, top):
    """Every distance to its first zero, differences about those whose products no longer have 32 bits, and the largest ones."""
    scale = multiplier / (1 << shift)
    end = min(1 << 20, int(13 * 64 / scale) + 9) if scale else 99
    edge = min(1 << 31, (1 << 32) // max(multiplier, 2))
    near = np.linspace(0, end, 20000, dtype=np.int64)
    x = np.unique(np.concatenate([near, edge + np.arange(-3, 3), [1 << 20, 1 << 29, (1 << 32) - 1]]))
    x = ((1 << 31) - 1 - x[(x >= 0) & (x < 1 << 32)]).astype(np.int32).reshape(1, -1)
    factor, table = np.array([[multiplier]], np.int32), octave(top)
    if claims_hold(ops.SoftmaxOctave(shift=shift), [x], [factor, table]):
        assert_equals_reference(ops.SoftmaxOctave(shift=shift), [x], [factor, table])


@pytest.mark.parametrize("columns", [511, 512, 513, 9000, 70000])
def test_softmax_octave_of_long_rows(columns):
    x = np.full((2, columns), -9, np.int32)
    assert_equals_reference(ops.SoftmaxOctave(shift=22), [x], [np.array([[1 << 20]], np.int32), octave(255)])


@given(SEEDS, ROWS, CHANNELS, st.sampled_from([np.uint8, np.int32]), st.sampled_from([np.uint8, np.int8, np.int16]), SHIFTS)
@QUICK
def test_softmax_divide(seed, rows, channels, kind, to, shift):
    rng = np.random.default_rng(seed)
    x, row_sum = random_codes(rng, (2, rows, channels), kind), random_codes(rng, (2, rows, 1), np.int32, 255, 255 * 197)
    numerator = random_codes(rng, (2, 1, 1), np.int64, 0, 1 << 38)
    assert_equals_reference(ops.SoftmaxDivide(shift=shift, **full_range(to, zero_point=5)), [x, row_sum], [numerator])


@given(SEEDS, st.integers(0, 13), ROWS, CHANNELS, st.sampled_from(ALL_TYPES[:3]), SHIFTS, st.booleans())
@QUICK
def test_gelu(seed, fraction_bits, rows, channels, to, shift, per_channel):
    rng = np.random.default_rng(seed)
    x = random_codes(rng, (rows, channels), np.int16)
    multiplier = random_codes(rng, channels if per_channel else 1, np.int32, 0)
    common = full_range(to, zero_point=9, fraction_bits=fraction_bits, shift=shift)
    op = ops.GeluPolynomial(coefficients=DEGREE_8, **common)
    assume(claims_hold(op, [x], [multiplier]))
    assert_equals_reference(op, [x], [multiplier])
    index_shift = int(rng.integers(0, fraction_bits + 1))
    table = random_codes(rng, 4 << (fraction_bits - index_shift), np.int16, 0, 6000)
    op = ops.GeluTable(index_shift=index_shift, **common)
    assume(claims_hold(op, [x], [multiplier, table]))
    assert_equals_reference(op, [x], [multiplier, table])


@pytest.mark.parametrize(("fraction_bits", "multiplier"), [(0, 1 << 20), (5, 1 << 25), (12, 1 << 30), (13, 1 << 30)])
def test_gelu_polynomial_at_every_code(fraction_bits, multiplier):
    x = np.arange(-(1 << 15), 1 << 15, dtype=np.int16).reshape(256, 256)
    op = ops.GeluPolynomial(coefficients=DEGREE_8, fraction_bits=fraction_bits, shift=40, **full_range(np.int16))
    assert_equals_reference(op, [x], [np.array([multiplier], np.int32)])


@pytest.mark.parametrize("coefficients", [DEGREE_8, (8000, -45000, 90000, -50000), (9, 8, 7, 6), (-9, 0, 0, 0)])
@pytest.mark.parametrize("fraction_bits", range(14))
def test_gelu_polynomial_in_16_bits_and_in_32(fraction_bits, coefficients):
    """At every code, for coefficients that 16 bits are enough for and others, whatever form of the constants is bound."""
    x = np.arange(-(1 << 15), 1 << 15, dtype=np.int16).reshape(256, 256)
    multiplier = RNG.integers(0, 1 << 30, 256).astype(np.int32)
    fits = coefficients[3] < 0 < coefficients[0] and fraction_bits > 0
    assert gelu_steps(coefficients, fraction_bits).dtype == (np.uint16 if fits else np.int32)
    op = ops.GeluPolynomial(coefficients=coefficients, fraction_bits=fraction_bits, shift=40, **full_range(np.int32))
    assert claims_hold(op, [x], [multiplier])
    for steps in (gelu_steps(coefficients, fraction_bits), np.array(coefficients, np.int32)):
        y = np.zeros(x.shape, np.int32)
        numbers = op.shift, op.zero_point, op.low, op.high
        gelu_polynomial.bind(x, multiplier, steps, fraction_bits, *numbers, y)()
        np.testing.assert_array_equal(y, op.reference(x, multiplier)[0])


def byte_table(fraction_bits):
    """A bump of 256 entries with as many fraction bits as let it fit a byte."""
    unit = 1 << (15 - min(fraction_bits, 10))
    return (bump_table(fraction_bits, fraction_bits - 6).astype(np.int64) // unit * unit).astype(np.int16)


@pytest.mark.parametrize("to", [np.uint8, np.int8])
@pytest.mark.parametrize("fraction_bits", range(7, 14))
def test_gelu_of_bytes_at_every_code(fraction_bits, to):
    """With multipliers up to the largest that words hold, and limits of the output within and at its type's."""
    x = np.arange(-(1 << 15), 1 << 15, dtype=np.int32).astype(np.int16).reshape(256, 256)
    table, multiplier = byte_table(fraction_bits), RNG.integers(0, 1 << (15 - max(0, fraction_bits - 10)), 256).astype(np.int32)
    for shift, limits in ((17, {}), (21, {"low": 3, "high": 99})):
        op = ops.GeluTable(
            fraction_bits=fraction_bits, index_shift=fraction_bits - 6, shift=shift + 15 - fraction_bits,
            **full_range(to, zero_point=21) | limits,
        )  # fmt: skip
        assert byte_bump(table, fraction_bits, op.index_shift, multiplier, op.shift, op.zero_point) is not None
        assert_equals_reference(op, [x], [multiplier, table])
        for rows, columns in ((1, 1), (3, 63), (17, 65), (2, 130)):
            assert_equals_reference(op, [x[:rows, :columns].copy()], [multiplier[:columns].copy(), table])


def test_what_bytes_and_words_do_not_hold_is_not_bound_to_them():
    """One step beyond each limit; the first is within all of them."""
    table, multiplier = byte_table(11), np.array([1 << 13], np.int32)
    odd, negative = table + 1, table.copy()
    negative[-1] = -32
    largest = np.array([1 << 14], np.int32)
    within = {"table": table, "fraction_bits": 11, "index_shift": 5, "multiplier": multiplier, "shift": 24, "zero_point": 20}
    beyond = (
        {"table": odd}, {"table": negative}, {"table": table[::2]}, {"multiplier": largest}, {"shift": 4}, {"shift": 27},
        {"zero_point": 1 << 12}, {"index_shift": 0, "fraction_bits": 6, "table": byte_table(6)},
    )  # fmt: skip
    assert byte_bump(**within) is not None
    for change in beyond:
        assert byte_bump(**within | change) is None
