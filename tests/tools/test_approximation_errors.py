"""Approximations on a coarse grid: they keep the errors that the documentation promises, and a planted error is found."""

import math
import sys
from dataclasses import dataclass, replace

import approximation_errors as tool
import numpy as np
import pytest
from approximation_families import (
    GELU,
    LAYER_NORM,
    PLACES,
    SOFTMAX,
    channels,
    codes_within,
    fraction_bits,
    scores,
    with_maximum,
)
from approximations import APPROXIMATIONS, Approximation, Made
from operation_counts import count_operations, widest_intermediate

from intvit.numerics import S16, S32, U8
from intvit.ops import OPS, Requantize
from intvit.ops.gelu import Gelu
from intvit.ops.softmax_exp import SoftmaxExp
from intvit.ops.softmax_normalized import SoftmaxNormalized

HALF_A_CODE, ALMOST_A_CODE = 0.5 / 255, 15 / 16 / 255
PROMISED = {
    "GeluPolynomial, degree 8": 6.3e-4,
    "GeluTable": 2.5e-4,
    "GeluErf, square": 1.83e-2,
    "GeluErf, quartic": 1.35e-2,
    "SoftmaxPolynomial, cubic": ALMOST_A_CODE + 2e-4,
    "SoftmaxPolynomial, quadratic": ALMOST_A_CODE + 2.8e-3,
    "SoftmaxPolynomial, chord": ALMOST_A_CODE + 0.5 * np.log2(np.e) * 0.0861,
    "SoftmaxPolynomialWide, cubic": 0.5 / 16320 + 2e-4,
    "SoftmaxTable": HALF_A_CODE + 1 / 1024,
    "SoftmaxTwoScale": 0.5 / 127 + 1.1 / 1024,
    "Shiftmax": 0.23,
    "SoftmaxBit": 0.1,
    "SoftmaxIBert": 0.035,
    "LayerNorm": 2e-6,
}
ENDING_AT_FOUR = ("GeluPolynomial, degree 8", "GeluTable")
BY_TITLE = {a.title: a for a in APPROXIMATIONS}


@pytest.mark.parametrize("title", PROMISED)
def test_errors_are_as_promised(title):
    for setting in BY_TITLE[title].settings:
        errors = tool.errors_of(BY_TITLE[title], setting, every=509)
        assert (
            0
            < errors.largest
            <= max(PROMISED[title], tail(setting) if title in ("GeluPolynomial, degree 8", "GeluTable") else 0)
        )


def tail(setting):
    """GELUs take what lies beyond 4 for the last code before it: with few fraction bits it is not yet small."""
    t = 4 - setting.step
    return t * 0.5 * math.erfc(t / math.sqrt(2)) + 2**-15


def test_shift_gelu_fails_where_a_row_s_maximum_is_beyond_its_range():
    """Beyond 23 octaves of e^(1.702 x), at x = 9.4, small exponentials are cut off at the same floor as e^-max."""
    below, above = (tool.errors_of(BY_TITLE["GeluShift"], with_maximum(codes_within(8, m), m)) for m in (6, 9.5))
    assert below.rms < 0.05
    assert above.rms > 1


def test_ten_newton_steps_are_enough_for_large_variances_only():
    newton = BY_TITLE["LayerNormNewton"]
    setting = newton.shown[0]
    small, large = (tool.errors_of(newton, replace(setting, low=low, high=2 * low)) for low in (2, 16000))
    assert small.relative > 0.9
    assert large.relative < 1e-4


def test_every_nonlinear_operator_is_measured():
    names = {a.operator for a in APPROXIMATIONS}
    softmax_or_gelu = Gelu | SoftmaxExp | SoftmaxNormalized
    named = ("Gelu", "LayerNorm")
    nonlinear = {op for kind, op in OPS.items() if issubclass(op, softmax_or_gelu) or kind.startswith(named)}
    assert nonlinear <= names


def test_the_coarse_grid_is_part_of_the_whole():
    approximation, setting = BY_TITLE["SoftmaxPolynomial, chord"], scores(16, 10)
    coarse, whole = (tool.errors_of(approximation, setting, every) for every in (101, 1))
    assert coarse.codes < whole.codes == 65535
    assert 0.9 * whole.largest < coarse.largest <= whole.largest


@dataclass(frozen=True)
class Planted:
    """GELU in floats, wrong by a known amount at one code, and halved in rows whose maximum is above 9."""

    def reference(self, x):
        value = np.stack([GELU.exact(column.astype(np.float64), fraction_bits(8)) for column in x.T], 1)
        value[x == -300] += 0.25
        return (np.where(x.max(-1, keepdims=True) > 9 * 256, value / 2, value),)


def planted(setting):
    return Approximation(Planted, "planted", GELU, lambda _: Made(Planted(), (), 1.0), (setting,), (setting,), "", "")


def test_an_error_is_found_where_it_lies():
    errors = tool.errors_of(planted(fraction_bits(8)), replace(fraction_bits(8), high=0))
    assert errors.largest == pytest.approx(0.25)
    assert errors.at == -300 / 256
    assert errors.relative == pytest.approx(0.25 / abs(GELU.exact(np.array([-300.0]), fraction_bits(8))[0]))
    assert errors.rms == pytest.approx(0.25 / np.sqrt(6 * 256 + 1))


def test_rows_meet_their_maximum():
    below, above = (tool.errors_of(planted(s), s) for s in (with_maximum(fraction_bits(8), top) for top in (8.5, 9.5)))
    assert below.largest == pytest.approx(0.25)
    assert above.largest == pytest.approx(9.5 / 2, rel=1e-3)
    assert above.at == 9.5


def test_rows_of_softmax_lose_nothing_but_precision():
    for title, least in (("SoftmaxPolynomial, cubic", 42), ("SoftmaxPolynomial, chord", 30)):
        mass, decibels = tool.row_quality(BY_TITLE[title], scores(16, 5))
        assert mass == pytest.approx(1)
        assert decibels > least


def test_exact_functions():
    assert GELU.exact(np.array([256, -256]), fraction_bits(8)) == pytest.approx([0.8413447460685429, -0.15865525393145707])
    assert SOFTMAX.exact(np.array([127]), scores(8, 1)) == pytest.approx([np.exp(-1)] * PLACES)
    row = np.array([7.0, 0, 0, 0])
    expected = (row - row.mean()) / np.sqrt(row.var() + 1 / 16)
    assert LAYER_NORM.exact(np.array([7]), channels(4)) == pytest.approx(expected[:1])


def test_operations_are_counted():
    x = np.arange(-50, 50, dtype=np.int32)[None]
    op = Requantize(to=U8, low=0, high=255, zero_point=3, shift=4)
    counts = count_operations(op, (x, np.array([5], np.int32)))
    assert {kind: n for kind, n in counts.items() if n} == {
        "multiply": 1, "add": 3, "shift or mask": 1, "compare or select": 1
    }  # fmt: skip
    assert widest_intermediate(op, (x, np.array([5], np.int32)))[0] == 9


def test_look_ups_and_work_once_a_row_are_counted():
    table = BY_TITLE["SoftmaxTable"]
    made = table.make(scores(16, 10))
    counts = count_operations(made.op, (SOFTMAX.sample(scores(16, 10)), *made.constants))
    assert counts["look-up"] == 1
    norm = BY_TITLE["LayerNorm"].make(channels(192))
    counts = count_operations(norm.op, (LAYER_NORM.sample(channels(192)), *norm.constants))
    assert counts["divide"] == 1 / 192
    assert 4 <= counts["multiply"] < 5


def test_powers_and_divisions_with_a_rest_are_counted():
    class Powers:
        def reference(self, x):
            q, r = np.divmod(x**4, 7)
            return q + r, x**7

    counts = count_operations(Powers(), (np.arange(10),))
    assert {kind: n for kind, n in counts.items() if n} == {"multiply": 2 + 4, "divide": 1, "add": 1}


def test_an_unknown_operation_is_refused():
    class Sine:
        kind = staticmethod(lambda: "Sine")

        def reference(self, x):
            return (np.sin(x),)

    with pytest.raises(ValueError, match="Sine uses sin"):
        count_operations(Sine(), (np.arange(3.0),))


def test_the_whole_page(tmp_path, monkeypatch, capsys):
    page = tmp_path / "approximations.md"
    monkeypatch.setattr(sys, "argv", ["approximation_errors.py", "--every", "2003", "-o", str(page)])
    tool.main()
    text = page.read_text()
    assert capsys.readouterr().out.startswith("# Approximations, measured")
    assert "every 2003th input code" in text
    for approximation in APPROXIMATIONS:
        rows = [line for line in text.splitlines() if line.startswith(f"| {approximation.title} |")]
        assert len(rows) >= 1 + len(approximation.settings)
        assert "nan" not in "".join(rows)
    for family in (GELU, SOFTMAX, LAYER_NORM):
        assert (tmp_path / f"approximations_{family.name}.svg").read_text().startswith("<?xml")
        assert f"approximations_{family.name}.svg" in text


def test_types_that_the_tool_asks_for():
    assert BY_TITLE["GeluPolynomial, degree 8"].make(fraction_bits(12)).op.to == S32
    assert codes_within(8, 6.35).step == pytest.approx(0.05)
    assert GELU.rows(np.array([S16.low, S16.high]), fraction_bits(12)).dtype == np.int16
