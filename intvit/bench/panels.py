"""From the benchmark's values to what its chart shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intvit.bench.case import Case
from intvit.bench.chart import Bar, Panel
from intvit.bench.engines import OWN


def panels_of(model: str, values: Mapping[str, Any]) -> list[Panel]:
    """Return one panel a case, its engines in their order.

    Args:
        model: what to call the model.
        values: what `intvit bench --json` prints.
    """
    titles = {row["engine"]: row["title"] for row in values["engines"]}
    cases = dict.fromkeys(Case(row["threads"], row["batch"]) for row in values["results"])
    return [_panel(model, case, titles, values) for case in cases]


def _panel(model: str, case: Case, titles: Mapping[str, str], values: Mapping[str, Any]) -> Panel:
    def of_case(key: str) -> list[dict[str, Any]]:
        return [row for row in values[key] if (row["threads"], row["batch"]) == (case.threads, case.batch)]

    relative = {row["engine"]: row["ratio"] for row in of_case("ratios")} | {OWN.name: 1.0}
    bars = [
        Bar(titles[row["engine"]], relative[row["engine"]], row["median_ms"], row["engine"] == OWN.name)
        for row in of_case("results")
    ]
    return Panel(f"Latency of {model}, {case.describe()}", bars)
