"""Every reference against the mathematics it stands for, in Python integers and fractions: nothing here uses its code."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from helpers.attention import bump_table, exp_table
from helpers.codes import codes
from helpers.graphs import full

from intvit import ops
from intvit.numerics import S8, S16, S32, U8
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.layer_norm_newton import newton_root
from intvit.ops.softmax_octave import octave
from intvit.ops.softmax_polynomial import CHORD, CUBIC, QUADRATIC

HALF = Fraction(1, 2)
SEEDS = range(20)


def rounded(value):
    """The nearest integer, halves up."""
    return math.floor(value + HALF)


def clipped(value, op):
    return min(max(value + op.zero_point, op.low), op.high)


def positions(shape):
    return itertools.product(*map(range, shape))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16])
def test_linear_is_one_rounding_of_the_exact_sum(seed, kind):
    op = ops.Linear(shift=2 + 3 * seed, zero_point=seed - 5, **full(S8))
    x, weight = codes((2, 3, 5), kind, seed=seed), codes((5, 4), np.int8, seed=seed)
    bias, multiplier = codes((4,), np.int32, -99999, 99999, seed), codes((4,), np.int32, seed=seed, extremes=0.5)
    (got,) = op.reference(x, weight, bias, multiplier)
    for i, j, c in positions(got.shape):
        total = sum(int(x[i, j, k]) * int(weight[k, c]) for k in range(5)) + int(bias[c])
        wanted = rounded(Fraction(total * int(multiplier[c]), 1 << op.shift))
        assert got[i, j, c] == clipped(wanted, op)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16])
def test_matmul_is_the_exact_sum(kind):
    a, b = codes((2, 3, 4, 5), kind), codes((2, 3, 5, 6), np.int8)
    (got,) = ops.MatMul().reference(a, b)
    assert got.dtype == np.int32
    for n, h, i, j in positions(got.shape):
        assert got[n, h, i, j] == sum(int(a[n, h, i, k]) * int(b[n, h, k, j]) for k in range(5))


@pytest.mark.parametrize("seed", SEEDS)
def test_add_rounds_the_sum_once(seed):
    a, b = codes((4, 6), np.int16, seed=seed), codes((6,), np.int16, seed=seed + 1)
    scales = codes((2,), np.int32, 0, seed=seed)
    op = ops.Add(multiplier_a=int(scales[0]), multiplier_b=int(scales[1]), shift=2 + 3 * seed, zero_point=-seed, **full(S16))
    (got,) = op.reference(a, b)
    for i, j in positions(got.shape):
        total = int(a[i, j]) * op.multiplier_a + int(b[j]) * op.multiplier_b
        assert got[i, j] == clipped(rounded(Fraction(total, 1 << op.shift)), op)


def test_add_differs_from_rounding_each_operand():
    op = ops.Add(multiplier_a=1, multiplier_b=1, shift=2, **full(S8))
    (got,) = op.reference(np.array([1], np.int8), np.array([1], np.int8))
    assert got.tolist() == [1]
    assert 2 * rounded(Fraction(1, 4)) == 0


ROWS = {
    "random": codes((4, 24), np.int16, seed=1),
    "small": codes((4, 24), np.int16, -2, 2, seed=2),
    "one hot": np.where(np.eye(16, dtype=bool), 32767, -32768).astype(np.int16),
    "constant": np.full((2, 9), -32768, np.int16),
    "one": np.array([[5], [-7]], np.int16),
    "wide": codes((1, 768), np.int16, seed=3),
}


@pytest.mark.parametrize("epsilon", [1, 1000, 1 << 40])
@pytest.mark.parametrize("x", ROWS.values(), ids=ROWS)
def test_layer_norm_is_within_its_proven_error(x, epsilon):
    """|z - 2^20 d / sqrt(V)| <= 1 + sqrt(C - 1) 2^-10 (1 + 2^-29).

    With t = sqrt(V) 2^h in [2^30, 2^31): r = floor(t), so R = floor((2^61 - 1) / r) lies in [2^61 / t - 1, 2^61 / (t - 1)],
    whose distance from 2^61 / t is at most 2^61 / (t (t - 1)). Times |d| <= sqrt(C - 1) t / 2^h and shifted by 41 - h this is
    at most sqrt(C - 1) 2^20 / (t - 1). The floor of the last shift adds less than 1.
    """
    channels = x.shape[-1]
    same = np.full(channels, 4, np.int32)
    op = ops.LayerNorm(epsilon=epsilon, shift=2, **full(S32))
    (z,) = op.reference(x, same, np.zeros(channels, np.int64))
    bound = 1 + Fraction(math.isqrt((channels - 1) << 60) + 1, 1 << 40) * (1 + Fraction(1, 1 << 29))
    for row, normalized in zip(x.tolist(), z.tolist(), strict=True):
        total = sum(row)
        variance = channels * sum(v * v for v in row) - total * total + epsilon
        root = Fraction(math.isqrt(variance << 400), 1 << 200)
        for value, found in zip(row, normalized, strict=True):
            exact = (channels * value - total) * (1 << 20) / root
            assert abs(found - exact) <= bound


@pytest.mark.parametrize("seed", SEEDS)
def test_layer_norm_scales_and_shifts_its_normalized_value_with_one_rounding(seed):
    x, gamma = codes((3, 7), np.int16, seed=seed), codes((7,), np.int32, seed=seed)
    beta = codes((7,), np.int64, -(1 << 50), 1 << 50, seed)
    plain = ops.LayerNorm(epsilon=seed + 1, shift=2, **full(S32))
    (z,) = plain.reference(x, np.full(7, 4, np.int32), np.zeros(7, np.int64))
    op = ops.LayerNorm(epsilon=seed + 1, shift=30 + seed, zero_point=seed, **full(S8))
    (got,) = op.reference(x, gamma, beta)
    for i, c in positions(got.shape):
        total = Fraction(int(z[i, c]) * int(gamma[c]) + int(beta[c]), 1 << op.shift)
        assert got[i, c] == clipped(rounded(total), op)


def exponentials(op, units, constants=(), scale=Fraction(1, 100)):
    """Return (e, exact 255 exp(scale (x - max))) for a row that falls from 0 to below the smallest code."""
    x = np.arange(0, -2000, -1, dtype=np.int32).reshape(1, -1)
    multiplier = np.array([round(scale * Fraction(units) * (1 << op.shift))], np.int32)
    e, row_sum = op.reference(x, multiplier, *constants)
    assert row_sum.tolist() == [[sum(e[0].tolist())]]
    assert row_sum.dtype == np.int32
    return e[0].tolist(), [255 * math.exp(float(scale * int(v))) for v in x[0]]


OCTAVES = math.log2(math.e) * (1 << 15)


@pytest.mark.parametrize(("coefficients", "least", "most"), [(CUBIC, 0.9, 1), (QUADRATIC, 1.2, 1.7), (CHORD, 11, 12)])
def test_softmax_polynomial_error_in_steps(coefficients, least, most):
    e, exact = exponentials(ops.SoftmaxPolynomial(shift=20, coefficients=coefficients), OCTAVES)
    worst = max(abs(a - b) for a, b in zip(e, exact, strict=True))
    assert least <= worst <= most
    assert e[0] == 255
    assert e[-1] == 0


def test_softmax_octave_error_in_steps():
    """Less than a step of rounding, and half a 64th of an octave at the largest exponentials."""
    e, exact = exponentials(ops.SoftmaxOctave(shift=20), OCTAVES / (1 << 9), (octave(255),))
    worst = max(abs(a - b) for a, b in zip(e, exact, strict=True))
    assert 1.2 <= worst <= 2
    assert e[0] == 255
    assert e[-1] == 0


def test_softmax_polynomial_along_the_whole_distance():
    """Each less than a step off; eight keys of one score, which have all thresholds, by less than a ninth of one on average."""
    distances = np.arange(0, -13 * (1 << 15), -7, dtype=np.int32)
    x = np.hstack([np.zeros((len(distances), 1), np.int32), np.tile(distances[:, None], 8)])
    e, _ = ops.SoftmaxPolynomial(shift=2, coefficients=CUBIC).reference(x, np.array([4], np.int32))
    exact = 255 * 2 ** (distances[:, None] / (1 << 15))
    assert (e[:, 0] == 255).all()
    assert 0.9 <= np.abs(e[:, 1:] - exact).max() < 1
    assert np.abs(e[:, 1:].mean(1) - exact[:, 0]).max() < 1 / 9
    assert (e[-1, 1:] == 0).all()


def test_softmax_polynomial_of_14_bits_rounds_to_nearest():
    distances = np.arange(0, -16 * (1 << 15), -7, dtype=np.int32).reshape(1, -1)
    e, _ = ops.SoftmaxPolynomialWide(shift=2, coefficients=CUBIC).reference(distances, np.array([4], np.int32))
    worst = np.abs(e - 16320 * 2 ** (distances / (1 << 15))) / (0.5 + 2e-4 * 16320 * 2 ** (distances / (1 << 15)))
    assert 0.9 <= worst.max() <= 1


def test_softmax_table_reads_the_entry_of_the_rounded_distance():
    table = exp_table(300, 40)
    x, factors = codes((3, 5, 9), np.int32, -5000, 5000), codes((5, 1), np.int32, 0, 1 << 20)
    op = ops.SoftmaxTable(shift=21)
    e, row_sum = op.reference(x, factors, table)
    for i, j, k in positions(e.shape):
        distance = rounded(Fraction((max(x[i, j].tolist()) - int(x[i, j, k])) * int(factors[j, 0]), 1 << 21))
        assert e[i, j, k] == table[min(distance, 299)]
    for i, j in positions(row_sum.shape[:2]):
        assert row_sum[i, j, 0] == sum(e[i, j].tolist())


def test_softmax_table_error_in_steps():
    e, exact = exponentials(ops.SoftmaxTable(shift=20), 512, (exp_table(4096, 512),))
    worst = max(abs(a - b) for a, b in zip(e, exact, strict=True))
    assert 0.5 <= worst <= 0.5 + 255 / 1024


@pytest.mark.parametrize("seed", SEEDS)
def test_softmax_divide_is_a_floored_factor_and_one_rounding(seed):
    op = ops.SoftmaxDivide(shift=10 + 2 * seed, zero_point=seed - 9, **full(U8))
    x, sums = codes((2, 3, 4), np.int32, -9999, 9999, seed), codes((2, 3, 1), np.int32, 255, 2000, seed)
    numerator = codes((3, 1), np.int64, 0, 1 << (9 + 2 * seed), seed)
    (got,) = op.reference(x, sums, numerator)
    for i, j, k in positions(got.shape):
        factor = math.floor(Fraction(int(numerator[j, 0]), int(sums[i, j, 0])))
        assert got[i, j, k] == clipped(rounded(Fraction(int(x[i, j, k]) * factor, 1 << op.shift)), op)
        exact = Fraction(int(x[i, j, k]) * int(numerator[j, 0]), int(sums[i, j, 0]) << op.shift)
        assert abs(got[i, j, k] - clipped(exact, op)) <= HALF + Fraction(abs(int(x[i, j, k])), 1 << op.shift)


CODES_16 = np.arange(-(1 << 15), 1 << 15, dtype=np.int32).astype(np.int16).reshape(-1, 1)
SAME = np.array([4], np.int32)


def gelu_error(op, *constants):
    """The largest error over all 65536 codes, the output read with its 15 fraction bits."""
    (y,) = op.reference(CODES_16, SAME, *constants)
    scale = 2.0**-op.fraction_bits
    exact = (v * scale * 0.5 * math.erfc(-v * scale / math.sqrt(2)) for v in CODES_16[:, 0].tolist())
    return max(abs(a / (1 << 15) - b) for a, b in zip(y[:, 0].tolist(), exact, strict=True))


@pytest.mark.parametrize("fraction_bits", [5, 9, 12, 13])
def test_gelu_polynomial_error_over_all_codes(fraction_bits):
    """The fit's 4.8e-4, and what the floors after its seven products add: 5 units of the 15 fraction bits."""
    op = ops.GeluPolynomial(fraction_bits=fraction_bits, shift=2, coefficients=DEGREE_8, **full(S32))
    assert gelu_error(op) <= 4.8e-4 + 5 * 2**-15


@pytest.mark.parametrize(
    ("fraction_bits", "index_shift", "most"), [(9, 0, 1.5e-4), (12, 0, 1.5e-4), (12, 2, 2.6e-4), (13, 3, 2.6e-4)]
)
def test_gelu_table_error_over_all_codes(fraction_bits, index_shift, most):
    """At most the bump beyond |x| = 4 (1.27e-4), or half an entry's width (2^-11 at 2^12 entries) times the slope 1/2."""
    op = ops.GeluTable(fraction_bits=fraction_bits, index_shift=index_shift, shift=2, **full(S32))
    assert gelu_error(op, bump_table(fraction_bits, index_shift)) <= most


@pytest.mark.parametrize("op", [ops.GeluPolynomial, ops.GeluTable], ids=lambda op: op.kind())
def test_gelu_requantizes_its_value_per_channel_with_one_rounding(op):
    more = {"coefficients": DEGREE_8} if op is ops.GeluPolynomial else {"index_shift": 2}
    constants = () if op is ops.GeluPolynomial else (bump_table(10, 2),)
    x, multiplier = codes((5, 6), np.int16), codes((6,), np.int32, 0, 1 << 28)
    (value,) = op(fraction_bits=10, shift=2, **more, **full(S32)).reference(x, SAME, *constants)
    wanted = op(fraction_bits=10, shift=37, zero_point=7, **more, **full(S8))
    (got,) = wanted.reference(x, multiplier, *constants)
    for i, c in positions(got.shape):
        assert got[i, c] == clipped(rounded(Fraction(int(value[i, c]) * int(multiplier[c]), 1 << 37)), wanted)


CODES_8 = np.arange(-128, 128, dtype=np.int16).astype(np.int8)


def shift_exponential(d, unit, n):
    """I-ViT's int_exp_shift in exact fractions; nothing is limited."""
    p = max(d + math.floor(Fraction(d, 2)) - math.floor(Fraction(d, 16)), -n * unit)
    q = math.floor(Fraction(p, -unit))
    r = p + unit * q
    return max(0, math.floor((Fraction(r, 2) + unit) * Fraction(2) ** (n - q)))


@pytest.mark.parametrize("n", [15, 23, 31])
@pytest.mark.parametrize("unit", [1, 2, 7, 12, 100, 255, 256, 600])
def test_gelu_shift_is_the_published_rule_for_every_maximum_and_code(unit, n):
    op = ops.GeluShift(unit=unit, n=n, shift=2, **full(S32))
    for top in range(-128, 128):
        row = CODES_8[: top + 129]
        (got,) = op.reference(row[None], SAME)
        e0 = shift_exponential(-top, unit, n)
        for code, found in zip(row.tolist()[::3], got[0].tolist()[::3], strict=True):
            e = shift_exponential(code - top, unit, n)
            factor = ((1 << 31) - 1) // min(e + e0, (1 << 31) - 1)
            assert found == code * math.floor(Fraction(e * factor, 1 << 24))


def test_gelu_shift_is_near_gelu_while_the_exponential_reaches_far_enough():
    """At a range of 6 the floored quotient of 2^31 and the sum, 19, costs up to 4 % of large values, as it does in I-ViT."""
    scale = 6 / 127
    op = ops.GeluShift(unit=math.ceil(1 / (1.702 * scale)), n=23, shift=2, **full(S32))
    (y,) = op.reference(CODES_8[None, 1:], SAME)
    exact = [v * scale * 0.5 * math.erfc(-v * scale / math.sqrt(2)) for v in CODES_8[1:].tolist()]
    errors = [a * scale / 128 - b for a, b in zip(y[0].tolist(), exact, strict=True)]
    assert -0.24 <= min(errors) <= -0.2
    assert max(errors) <= 0.03


def test_gelu_shift_fails_where_the_row_maximum_is_beyond_its_range():
    """As I-ViT's does: from a maximum of n / 2.455 on, both exponentials are cut off alike: sigmoid(-x) is 63/128."""
    scale = 12 / 127
    op = ops.GeluShift(unit=math.ceil(1 / (1.702 * scale)), n=23, shift=2, **full(S32))
    (y,) = op.reference(np.array([[127, -40]], np.int8), SAME)
    assert y[0, 1] == -40 * 63
    (alone,) = op.reference(np.array([[40, -40]], np.int8), SAME)
    assert alone[0, 1] == 0


@pytest.mark.parametrize("kind", [np.int8, np.int16])
@pytest.mark.parametrize(("power", "erf_shift"), [(2, 0), (2, 9), (4, 0), (4, 20)])
def test_gelu_erf_is_its_formula(kind, power, erf_shift):
    op = ops.GeluErf(power=power, knee=90, one=91**power >> erf_shift, erf_shift=erf_shift, shift=40, **full(S16))
    x, multiplier = codes((6, 5), kind, -300 if kind is np.int16 else None, 300 if kind is np.int16 else None), i32_of(1 << 20)
    (got,) = op.reference(x, multiplier)
    for i, j in positions(x.shape):
        v = int(x[i, j])
        sign = (v > 0) - (v < 0)
        erf = op.one - math.floor(Fraction(max(90 - abs(v), 0) ** power, 1 << erf_shift))
        value = v * (op.one + sign * erf)
        assert got[i, j] == clipped(rounded(Fraction(value << 20, 1 << 40)), op)


def i32_of(value):
    return np.array([value], np.int32)


@pytest.mark.parametrize(
    ("power", "a", "b", "least", "most"), [(2, -0.2888, -1.769, 0.0181, 0.0183), (4, -0.019913, -2.698088, 0.0092, 0.0094)]
)
def test_gelu_erf_error_over_all_codes(power, a, b, least, most):
    """The published constants give the published errors: 0.0182 for i-GELU, 0.0093 for the quartic."""
    scale = 4 / 32767
    knee, unit = round(-b * math.sqrt(2) / scale), -1 / (a * (scale / math.sqrt(2)) ** power)
    erf_shift = math.ceil(math.log2(unit)) - 15
    op = ops.GeluErf(power=power, knee=knee, one=round(unit / 2**erf_shift), erf_shift=erf_shift, shift=2, **full(S32))
    (y,) = op.reference(CODES_16.reshape(1, -1), SAME)
    exact = (v * scale * 0.5 * math.erfc(-v * scale / math.sqrt(2)) for v in CODES_16[:, 0].tolist())
    worst = max(abs(v * scale / (2 * op.one) - e) for v, e in zip(y[0].tolist(), exact, strict=True))
    assert least <= worst <= most


def newton(v):
    k = 1 << 16
    for _ in range(10):
        k = math.floor(Fraction(k + math.floor(Fraction(v, k)), 2))
    return k


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("x", [*ROWS.values(), codes((9, 2), np.int16, -3, 3)], ids=[*ROWS, "ties"])
def test_layer_norm_newton_is_the_published_rule_with_beta_at_full_precision(x, seed):
    channels = x.shape[-1]
    gamma, beta = codes((channels,), np.int32, seed=seed), codes((channels,), np.int64, -(1 << 58), 1 << 58, seed)
    op = ops.LayerNormNewton(shift=44 + seed // 2, zero_point=seed, **full(S8))
    (got,) = op.reference(x, gamma, beta)
    for i, row in enumerate(x.tolist()):
        mean = round(Fraction(sum(row), channels))
        root = newton(sum((value - mean) ** 2 for value in row))
        for c, value in enumerate(row):
            z = math.floor(Fraction((value - mean) * math.floor(Fraction((1 << 31) - 1, root)), 2))
            total = Fraction(z * int(gamma[c]) + int(beta[c]), 1 << op.shift)
            assert got[i, c] == clipped(rounded(total), op)


@pytest.mark.parametrize("v", [0, 1, 63, 1000, 4096, 10**4, 10**5, 10**6, 1 << 40, (1 << 45) + 12345])
def test_ten_newton_steps_never_end_below_the_root(v):
    """What the proof that no product overflows rests on; from 1e5 on they end at the root itself."""
    (found,) = newton_root(np.array([v], np.int64)).tolist()
    assert found == newton(v)
    assert found >= max(math.isqrt(v), 64)
    assert found - math.isqrt(v) <= 1 or v < 10**5


@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2), (2, 1), (3,), (1, 2, 3)])
def test_mean_is_one_rounding_of_the_exact_sum(axes):
    x = codes((2, 3, 4, 5), np.int16)
    op = ops.Mean(axes=axes, multiplier=12345678, shift=27, zero_point=11, **full(S16))
    (got,) = op.reference(x)
    for at in positions(got.shape):
        group = itertools.product(*(range(x.shape[i]) if i in axes else [p] for i, p in enumerate(at)))
        total = sum(int(x[place]) for place in group)
        assert got[at] == clipped(rounded(Fraction(total * op.multiplier, 1 << op.shift)), op)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", [(1,), (5,), (4, 1), (1, 4, 5)])
def test_requantize_is_one_rounding(seed, shape):
    x, multiplier = codes((2, 4, 5), np.int32, -(1 << 20), 1 << 20, seed), codes(shape, np.int32, 0, seed=seed)
    op = ops.Requantize(shift=2 + 3 * seed, zero_point=seed, input_zero_point=50 - seed, **full(S16))
    (got,) = op.reference(x, multiplier)
    factors = np.broadcast_to(multiplier, x.shape)
    for at in positions(x.shape):
        product = (int(x[at]) - op.input_zero_point) * int(factors[at])
        assert got[at] == clipped(rounded(Fraction(product, 1 << op.shift)), op)


@pytest.mark.parametrize("perm", list(itertools.permutations(range(3))))
def test_transpose_moves_each_element(perm):
    x = codes((2, 3, 4), np.int16)
    (y,) = ops.Transpose(perm=perm).reference(x)
    for at in positions(x.shape):
        assert y[tuple(at[axis] for axis in perm)] == x[at]


@pytest.mark.parametrize("shape", [(-1, 12), (-1, 2, 6), (-1, 3, 2, 2), (1, -1, 12)])
def test_reshape_keeps_the_row_major_order(shape):
    x = codes((2, 3, 4), np.int32)
    (y,) = ops.Reshape(shape=shape).reference(x)
    flat = [int(x[at]) for at in positions(x.shape)]
    assert [int(y[at]) for at in positions(y.shape)] == flat
    assert all(d == -1 or d == e for d, e in zip(shape, y.shape, strict=True))


@pytest.mark.parametrize(("axis", "start", "end"), [(1, 0, 1), (1, 2, 3), (2, 1, 4), (2, 0, 4)])
def test_slice_takes_a_range(axis, start, end):
    x = codes((2, 3, 4), np.int8)
    (y,) = ops.Slice(axis=axis, start=start, end=end).reference(x)
    assert y.shape[axis] == end - start
    for at in positions(y.shape):
        source = list(at)
        source[axis] += start
        assert y[at] == x[tuple(source)]


@pytest.mark.parametrize("axis", [1, 2])
def test_concat_puts_b_after_a(axis):
    a, b = codes((2, 3, 4), np.uint8), codes((2, 3, 4), np.uint8, seed=1)
    (y,) = ops.Concat(axis=axis).reference(a, b)
    for at in positions(y.shape):
        source, length = list(at), a.shape[axis]
        source[axis] %= length
        assert y[at] == (a if at[axis] < length else b)[tuple(source)]


@pytest.mark.parametrize("batch", [1, 4])
def test_expand_repeats_its_constant(batch):
    x, like = codes((1, 2, 3), np.int16), np.zeros((batch, 7), np.uint8)
    (y,) = ops.Expand().reference(x, like)
    assert y.shape == (batch, 2, 3)
    for n, i, j in positions(y.shape):
        assert y[n, i, j] == x[0, i, j]


LAYOUTS = [(bits, shift) for bits in (2, 4, 6, 8) for shift in range(1, bits)]


def two_scale_values(bits, coarse_shift):
    """What every code stands for, by the region bit and the payload of its text."""
    text = [f"{code:0{bits}b}" for code in range(1 << bits)]
    return [int(code[1:], 2) * (1 << coarse_shift) ** int(code[0]) for code in text]


@pytest.mark.parametrize(("bits", "coarse_shift"), LAYOUTS)
def test_two_scale_decode_reads_region_and_payload(bits, coarse_shift):
    x = np.arange(1 << bits, dtype=np.uint8)
    (got,) = ops.TwoScaleDecode(bits=bits, coarse_shift=coarse_shift).reference(x)
    assert got.dtype == np.int16
    assert got.tolist() == two_scale_values(bits, coarse_shift)


@pytest.mark.parametrize(("bits", "coarse_shift"), LAYOUTS)
def test_two_scale_encode_takes_a_code_of_the_nearest_value(bits, coarse_shift):
    """No code is nearer to the rounded and clipped input; where the region is coarse, ties go up."""
    op = ops.TwoScaleEncode(bits=bits, coarse_shift=coarse_shift, multiplier=3, shift=2, zero_point=7)
    x = np.arange(-600, 900, dtype=np.int32) * (1 + (1 << coarse_shift) // 8)
    (got,) = op.reference(x)
    values = two_scale_values(bits, coarse_shift)
    for source, code in zip(x.tolist(), got.tolist(), strict=True):
        v = min(max(rounded(Fraction(3 * source, 4)) + 7, 0), max(values))
        nearest = min(abs(v - value) for value in values)
        assert abs(values[code] - v) == nearest
        assert values[code] == max(value for value in values if abs(v - value) == nearest)
        assert (code >> (bits - 1)) == (v >= 1 << (bits - 1))


@pytest.mark.parametrize(("bits", "coarse_shift"), LAYOUTS)
def test_softmax_two_scale_sums_what_its_codes_stand_for(bits, coarse_shift):
    values = two_scale_values(bits, coarse_shift)
    table = np.array([max(range(1 << bits), key=values.__getitem__), *range((1 << bits) - 2, -1, -1)], np.uint8)
    x, factors = codes((3, 5, 9), np.int32, -500, 500), codes((5, 1), np.int32, 0, 1 << 20)
    e, row_sum = ops.SoftmaxTwoScale(shift=22, bits=bits, coarse_shift=coarse_shift).reference(x, factors, table)
    assert (e.dtype, row_sum.dtype) == (np.uint8, np.int32)
    for i, j in positions(row_sum.shape[:2]):
        for k in range(9):
            distance = rounded(Fraction((max(x[i, j].tolist()) - int(x[i, j, k])) * int(factors[j, 0]), 1 << 22))
            assert e[i, j, k] == table[min(distance, len(table) - 1)]
        assert row_sum[i, j, 0] == sum(values[code] for code in e[i, j].tolist())
