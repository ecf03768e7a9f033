"""From measured times to the rows that the command prints; nothing here measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from intvit.bench.case import CaseTimes
from intvit.bench.limit import share_of_limit
from intvit.bench.profile import NodeTime, by_kind
from intvit.bench.scaling import Gain
from intvit.bench.statistics import Ratio, ratio, spread

Row = dict[str, Any]


def result_rows(times: CaseTimes, macs: int, peaks: Mapping[str, int | None]) -> list[Row]:
    """Return one row an engine.

    Args:
        times: of one case.
        macs: the multiply-accumulates of one image.
        peaks: peak memory in bytes, by the engine's name.
    """
    case, rows = times.case, []
    for name, seconds in times.seconds.items():
        milliseconds = spread(seconds).scaled(1e3)
        rows.append(
            {
                "engine": name,
                "threads": case.threads,
                "batch": case.batch,
                "median_ms": milliseconds.median,
                "low_ms": milliseconds.low,
                "high_ms": milliseconds.high,
                "per_image_ms": milliseconds.median / case.batch,
                "rounds": len(seconds),
                "share_of_limit": share_of_limit(macs * case.batch, seconds, times.limit[name], case.threads),
                "peak_bytes": peaks.get(name),
            }
        )
    return rows


def ratio_rows(times: CaseTimes, own: str) -> list[Row]:
    """Return one row a peer: how many times as long as `own` it takes."""
    mine = times.seconds[own]
    head = asdict(times.case)
    return [{"engine": name, **head, **_ratio(ratio(seconds, mine))} for name, seconds in times.seconds.items() if name != own]


def limit_row(times: CaseTimes) -> Row:
    """Return the integer limit of one core, as it was during one case, and how much of a core this process had."""
    rate = spread([rate for rates in times.limit.values() for rate in rates]).scaled(1e-9)
    head = asdict(times.case)
    return {**head, "gmacs_per_second": rate.median, "low": rate.low, "high": rate.high, "core_share": times.core_share}


def failure_rows(times: CaseTimes) -> list[Row]:
    """Return one row a peer that could not run this case."""
    head = asdict(times.case)
    return [{"engine": name, **head, "reason": reason} for name, reason in times.failures.items()]


def scaling_rows(gains: Sequence[Gain]) -> list[Row]:
    """Return one row a pair of cases: how many times as fast an image is in the larger one."""
    return [
        {
            **asdict(gain.case),
            "base_threads": gain.base.threads,
            "base_batch": gain.base.batch,
            **_ratio(gain.speedup),
        }
        for gain in gains
    ]


def machine_rows(machine: Mapping[int, Ratio]) -> list[Row]:
    """Return one row a number of threads: how many times as much the bare micro-kernel does on them as on one."""
    return [{"threads": threads, **_ratio(gain)} for threads, gain in machine.items()]


def profile_values(nodes: Sequence[NodeTime]) -> Row:
    """Return the time of all steps, by kind of operator and one by one."""
    return {
        "total_ms": 1e3 * sum(node.seconds for node in nodes),
        "kinds": [asdict(kind) for kind in by_kind(nodes)],
        "nodes": [asdict(node) for node in nodes],
    }


def _ratio(value: Ratio) -> Row:
    return {
        "ratio": value.of_medians,
        "by_round": value.by_round.median,
        "low": value.by_round.low,
        "high": value.by_round.high,
    }
