"""The comparison with I-ViT's modules counts every element that differs, and asks for operators that are proved."""

from dataclasses import replace

import compare_ivit
import numpy as np
import pytest
from compare_ivit import COMPARISONS, compare, is_proved, main
from ivit_modules import Case

from intvit.ops import GeluShift, LayerNormNewton, Shiftmax

REFUSED = {("Shiftmax", "exponential beyond 2^31")}
BY_NAME = pytest.mark.parametrize("comparison", COMPARISONS, ids=lambda comparison: comparison.name)


def ours(comparison, x, scale):
    op, constants = comparison.ours(scale)
    return op.reference(x, *constants)[0]


def with_original(comparison, change):
    """The comparison, its original replaced by our own operator with a change."""

    def original(_modules, x, scale, dtype):
        return change(ours(comparison, x, scale).astype(np.int64), dtype)

    return replace(comparison, original=original)


def first_rows(comparison, count=3):
    case = next(comparison.cases())
    return Case(case.name, case.x[:count], case.scale)


def test_each_operator_of_ours_is_compared():
    assert {type(comparison.ours(0.05)[0]) for comparison in COMPARISONS} == {Shiftmax, GeluShift, LayerNormNewton}


@BY_NAME
def test_inputs_are_such_as_a_model_could_have(comparison):
    refused = set()
    for case in comparison.cases():
        op, constants = comparison.ours(float(np.float32(case.scale)))
        if not is_proved(op, case, constants):
            refused.add((comparison.name, case.name))
    assert refused == {pair for pair in REFUSED if pair[0] == comparison.name}


@BY_NAME
def test_the_same_integers_do_not_differ(comparison):
    line, differ = compare(with_original(comparison, lambda y, _: y), first_rows(comparison), None)
    assert differ == 0
    assert line.split(" | ")[5:8] == ["0", "0", "0"]


@BY_NAME
def test_each_difference_counts(comparison):
    def change(y, dtype):
        y[0, :5] += 7 if dtype == "float64" else 0
        y[1, :4] -= 9 if dtype == "float32" else 0
        return y

    line, differ = compare(with_original(comparison, change), first_rows(comparison), None)
    assert differ == 5
    assert line.split(" | ")[5:8] == ["5", "4", "9"]


@pytest.mark.parametrize(("off", "status"), [(0, 0), (1, 1)])
def test_a_difference_of_meaning_is_the_exit_status(off, status, monkeypatch, capsys):
    shiftmax = with_original(COMPARISONS[0], lambda y, dtype: y + off * (dtype == "float64"))
    few = replace(shiftmax, cases=lambda: [first_rows(shiftmax)])
    monkeypatch.setattr(compare_ivit, "COMPARISONS", (few,))
    monkeypatch.setattr(compare_ivit, "load_modules", lambda clone: clone)
    assert main(["I-ViT"]) == status
    head, _, row = capsys.readouterr().out.splitlines()
    assert head.count("|") == row.count("|")
