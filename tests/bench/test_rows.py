"""Rows from given times: nothing here is measured."""

import pytest

from intvit.bench.case import Case, CaseTimes
from intvit.bench.profile import NodeTime, by_kind
from intvit.bench.results import (
    failure_rows,
    limit_row,
    machine_rows,
    profile_values,
    ratio_rows,
    result_rows,
    scaling_rows,
)
from intvit.bench.scaling import gains, limit_gain
from intvit.bench.statistics import Ratio, Spread, spread

SECONDS = {"intvit": [0.010, 0.010, 0.020], "peer": [0.030, 0.020, 0.040]}
LIMIT = {"intvit": [150e9, 200e9, 250e9], "peer": [100e9, 200e9, 300e9]}
TIMES = CaseTimes(Case(threads=2, batch=8), SECONDS, LIMIT, core_share=0.99, failures={"other": "no such CPU"})


def test_result_rows():
    own, peer = result_rows(TIMES, macs=500_000_000, peaks={"intvit": 7})
    assert (own["engine"], own["threads"], own["batch"], own["rounds"]) == ("intvit", 2, 8, 3)
    assert (own["median_ms"], own["per_image_ms"], own["peak_bytes"]) == (10, 1.25, 7)
    assert peer["low_ms"] == pytest.approx(25)
    assert peer["high_ms"] == pytest.approx(35)
    assert peer["peak_bytes"] is None


def test_share_of_the_limit_counts_images_and_threads_round_by_round():
    own, _ = result_rows(TIMES, macs=500_000_000, peaks={})
    shares = [8 * 0.5e9 / seconds / (limit * 2) for seconds, limit in ((0.010, 150e9), (0.010, 200e9), (0.020, 250e9))]
    assert own["share_of_limit"] == pytest.approx(sorted(shares)[1])


def test_ratio_rows_divide_by_the_own_engine():
    (row,) = ratio_rows(TIMES, "intvit")
    assert row["engine"] == "peer"
    assert row["ratio"] == pytest.approx(3)
    assert row["by_round"] == pytest.approx(2)
    assert (row["low"], row["high"]) == (pytest.approx(2), pytest.approx(2.5))


def test_limit_and_failures():
    rate = {"gmacs_per_second": 200, "low": 162.5, "high": 237.5}
    assert limit_row(TIMES) == pytest.approx({"threads": 2, "batch": 8, **rate, "core_share": 0.99})
    assert failure_rows(TIMES) == [{"engine": "other", "threads": 2, "batch": 8, "reason": "no such CPU"}]


def test_scaling_compares_images_not_runs():
    seconds = {Case(1, 1): [1.0], Case(2, 1): [0.5], Case(1, 8): [6.4], Case(2, 8): [4.0]}
    rows = {
        (row["threads"], row["batch"], row["base_threads"], row["base_batch"]): row["ratio"]
        for row in scaling_rows(gains(seconds))
    }
    assert rows == {
        (2, 1, 1, 1): pytest.approx(2),
        (1, 8, 1, 1): pytest.approx(1.25),
        (2, 8, 1, 8): pytest.approx(1.6),
        (2, 8, 2, 1): pytest.approx(1.0),
    }


def test_what_the_machine_gives_counts_the_work_of_all_threads():
    assert limit_gain(2, [1.0, 1.0, 1.2], [1.1, 1.0, 2.0]) == Ratio(2 / 1.1, spread([2 / 1.1, 2, 1.2]))
    row = {"threads": 2, "ratio": 1.9, "by_round": 1.8, "low": 1.7, "high": 1.95}
    assert machine_rows({2: Ratio(1.9, Spread(1.8, 1.7, 1.95))}) == [row]


def test_profile_adds_up_kinds():
    nodes = [NodeTime("a", "Linear", 3.0, 30), NodeTime("b", "Gelu", 5.0, 0), NodeTime("c", "Linear", 4.0, 40)]
    linear, gelu = by_kind(nodes)
    assert (linear.kind, linear.nodes, linear.seconds, linear.macs) == ("Linear", 2, 7, 70)
    assert linear.share + gelu.share == pytest.approx(1)
    values = profile_values(nodes)
    assert values["total_ms"] == 12000
    assert [node["node"] for node in values["nodes"]] == ["a", "b", "c"]
