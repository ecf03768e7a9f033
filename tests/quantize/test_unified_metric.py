"""The unified metric: what it says of known errors, the costs that it goes by, and that neither swamps the other."""

import math

import numpy as np
import pytest
from approximation_families import GELU, SOFTMAX
from approximations import APPROXIMATIONS
from operation_counts import count_operations

from intvit.quantize.unified_metric import MAX_SQNR_DB, OPERATIONS, Candidate, FamilyChoice, judge, omega, softplus, sqnr

TITLES = {
    "Gelu": {
        "GeluTable": "table",
        "GeluErf, square": "i-bert",
        "GeluErf, quartic": "quartic",
        "GeluShift": "shift",
        "GeluPolynomial, degree 8": "polynomial",
    },
    "Softmax": {
        "SoftmaxTable": "table",
        "Shiftmax": "shiftmax",
        "SoftmaxIBert": "i-bert",
        "SoftmaxOctave": "octave",
        "SoftmaxPolynomial, cubic": "polynomial",
        "SoftmaxBit": "bit",
    },
}
EXACT = np.linspace(-4.0, 4.0, 1001)


def with_noise(decibels):
    return EXACT * (1 + 10 ** (-decibels / 20))


def test_costs_are_what_the_references_take():
    for approximation in APPROXIMATIONS:
        op = {GELU: "Gelu", SOFTMAX: "Softmax"}.get(approximation.family)
        family = TITLES.get(op, {}).get(approximation.title)
        if family is not None:
            setting = approximation.shown[0]
            made = approximation.make(setting)
            counts = count_operations(made.op, (approximation.family.sample(setting), *made.constants))
            assert round(sum(counts.values())) == OPERATIONS[op][family], family
    assert OPERATIONS["Gelu"]["quartic-fitted"] == OPERATIONS["Gelu"]["quartic"]
    for op, families in OPERATIONS.items():
        assert families.keys() - {"quartic-fitted"} == set(TITLES[op].values())


def test_the_metric_is_the_published_formula():
    expected = 3 / (1 / math.log(1 + math.exp(30)) + math.log(1 + math.exp(0.25)) + math.log(1 + math.exp(1.5)))
    assert omega(30.0, 0.25, 1.5) == pytest.approx(expected, rel=1e-12)
    assert omega(40.0, 0.25, 1.5) > omega(30.0, 0.25, 1.5) > omega(30.0, 0.5, 1.5)
    assert omega(30.0, 0.25, 1.5) > omega(30.0, 0.25, 2.0)


@pytest.mark.parametrize("t", [-1000.0, -30.0, 0.0, 30.0, 1000.0])
def test_softplus_is_positive_and_never_overflows(t):
    assert softplus(t) > 0
    assert softplus(t) == pytest.approx(np.logaddexp(0, t), rel=1e-9, abs=1e-299)


def test_decibels():
    assert sqnr(EXACT, with_noise(30)) == pytest.approx(30)
    assert sqnr(EXACT, EXACT) == pytest.approx(MAX_SQNR_DB)
    assert sqnr(np.zeros(3), np.ones(3)) == 0
    assert judge("Gelu", "table", EXACT, EXACT + 0.5).perturbation == pytest.approx(0.25)


def test_much_better_beats_cheaper_and_cheaper_beats_hardly_better():
    cheap, dear = "i-bert", "polynomial"
    assert OPERATIONS["Gelu"][cheap] < OPERATIONS["Gelu"][dear]

    def chosen(cheap_db, dear_db):
        candidates = (judge("Gelu", family, EXACT, with_noise(db)) for family, db in ((cheap, cheap_db), (dear, dear_db)))
        return FamilyChoice("Gelu", tuple(candidates)).family

    assert chosen(20, 40) == chosen(30, 50) == dear
    assert chosen(30, 31) == chosen(60, 90) == cheap


def test_the_first_of_equals_is_chosen_and_figures_are_text():
    candidates = tuple(Candidate(family, 1 / 3, 2e-7, 12, 2.0) for family in ("shift", "table"))
    choice = FamilyChoice("Gelu", candidates)
    assert choice.family == "shift"
    figures = {"sqnr_db": "0.333333", "perturbation": "2e-07", "operations": "12", "omega": "2"}
    assert choice.to_json() == {"op": "Gelu", "family": "shift", "candidates": dict.fromkeys(("shift", "table"), figures)}
