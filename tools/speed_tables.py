"""The tables of docs/results/speed.md, from what `intvit bench --json` printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]
MIB = 1 << 20
MEMORY_FACTOR, MEMORY_ALLOWANCE = 1.5, 64_000_000
AVX2_SHARE = 0.60
TWO_THREADS = {1: 1.75, 8: 1.9}
COMPILE_SECONDS, FIRST_SECONDS, IMPORT_SECONDS = 30, 1.5, 0.15


@dataclass(frozen=True)
class Goals:
    """What is wanted of one model, for one image on one thread.

    Attributes:
        title: the model's name for people.
        ratios: how many times as fast as each peer.
        share: the share of the integer limit.
    """

    title: str
    ratios: Mapping[str, float]
    share: float


MODELS = {
    "tiny": Goals("DeiT-Tiny", {"openvino-int8": 1.2, "onnxruntime-qdq": 2.4, "onnxruntime-fp32": 3.2}, 0.50),
    "small": Goals("DeiT-Small", {"openvino-int8": 1.2, "onnxruntime-qdq": 2.0, "onnxruntime-fp32": 3.7}, 0.70),
    "base": Goals("DeiT-Base", {"openvino-int8": 1.2, "onnxruntime-qdq": 1.7, "onnxruntime-fp32": 3.8}, 0.75),
}


@dataclass(frozen=True)
class Measured:
    """What was measured of one model.

    Attributes:
        name: its key in `MODELS`.
        cases: the benchmark beside peers, by threads and batch.
        scaling: the benchmark of this engine alone, with start-up times and all cases in turns.
        avx2: the benchmark of this engine at the AVX2 level; None where the machine or the engine has none.
    """

    name: str
    cases: Mapping[tuple[int, int], Values]
    scaling: Values
    avx2: Values | None


def report_sections(models: Sequence[Measured], chart: str = "speed.svg") -> list[str]:
    """Return the report's sections as Markdown; the chart is a file beside it."""
    return [
        "How it is measured: [docs/bench.md](../bench.md). Ratios are those of medians, with the quartiles of the ratios of\n"
        "single rounds; above 1 this engine is faster. The share of the limit counts the float model's multiply-accumulates.\n",
        f"While it measured, the process had {100 * _core_share(models):.0f} % of a core.\n",
        f"![latencies]({chart})\n",
        _section("One image, one thread", [row for m in models for row in _main_rows(m)]),
        _section("Threads and batches", [row for m in models for row in _scaling_rows(m)]),
        _section("Memory and start", [_memory_row(m) for m in models] + _startup_rows(models[0])),
        _section("AVX2, forced by `INTVIT_SIMD=avx2`", [_avx2_row(m) for m in models]),
        "## All latencies\n\n" + _latencies(models),
        "## Where the time of one image goes\n\n" + "\n".join(_profile(m) for m in models),
    ]


def readme_rows(models: Sequence[Measured]) -> list[str]:
    """Return the lines of the README's table; each row stands in the report, too."""
    head = [
        "One image on one thread, all engines in turns in one process:",
        "",
        "| what | measured | wanted |",
        "|---|---|---|",
    ]
    return head + [row for measured in models for row in _main_rows(measured)]


def _main_rows(measured: Measured) -> list[str]:
    goals, values = MODELS[measured.name], measured.cases[1, 1]
    titles = {row["engine"]: row["title"] for row in values["engines"]}
    ratios = {row["engine"]: row for row in values["ratios"]}
    rows = []
    for engine, least in goals.ratios.items():
        found = f"{_ratio(ratios[engine])}{_mark(ratios[engine]['ratio'] >= least)}" if engine in ratios else "not measured"
        rows.append(_row(f"{goals.title}: faster than {titles.get(engine, engine)}", found, f"at least {least} x"))
    share = _own(values)["share_of_limit"]
    limit = values["limits"][0]["gmacs_per_second"]
    found = f"{100 * share:.0f} % of {limit:.0f} GMAC/s{_mark(share >= goals.share)}"
    return [*rows, _row(f"{goals.title}: share of the integer limit", found, f"at least {100 * goals.share:.0f} %")]


def _scaling_rows(measured: Measured) -> list[str]:
    title = MODELS[measured.name].title
    rows = []
    for row in measured.scaling["scaling"]:
        threads, batch = row["threads"], row["batch"]
        if row["base_batch"] != batch:
            what, least = f"batch {batch} against batch {row['base_batch']}, {_threads(threads)}, an image", 1.0
        else:
            what, least = f"{_threads(threads)} against {_threads(row['base_threads'])}, batch {batch}", TWO_THREADS[batch]
        wanted = f"at least {least} x" if row["base_batch"] != batch or measured.name == "small" else ""
        mark = _mark(round(row["ratio"], 2) >= least) if wanted else ""
        rows.append(_row(f"{title}: {what}", f"{_ratio(row)}{mark}", wanted))
    what = "beside it, the bare micro-kernel:"
    machine = measured.scaling["machine"]
    return rows + [_row(f"{what} {_threads(row['threads'])} against one", _ratio(row), "") for row in machine]


def _memory_row(measured: Measured) -> str:
    values = measured.cases[1, 1]
    peak, weights = _own(values)["peak_bytes"], values["weights_bytes"]
    most = MEMORY_FACTOR * weights + MEMORY_ALLOWANCE
    found = "not measured" if peak is None else f"{peak / MIB:.0f} MiB{_mark(peak <= most)}"
    wanted = f"at most 1.5 x {weights / MIB:.0f} MiB of weights + 64 MB = {most / MIB:.0f} MiB"
    return _row(f"{MODELS[measured.name].title}: peak memory of a session", found, wanted)


def _startup_rows(measured: Measured) -> list[str]:
    startup, title = measured.scaling["startup"], MODELS[measured.name].title
    rows = (
        ("compiling all kernels, `intvit doctor --warm` with an empty cache", "compile_kernels", COMPILE_SECONDS, "s", 1),
        (f"{title}: process start to first logits, kernels on disk", "first_logits", FIRST_SECONDS, "s", 1),
        ("`import intvit`", "import_intvit", IMPORT_SECONDS, "ms", 1000),
    )
    return [
        _row(what, f"{scale * startup[key]:.3g} {unit}{_mark(startup[key] <= most)}", f"at most {scale * most:g} {unit}")
        for what, key, most, unit, scale in rows
    ]


def _avx2_row(measured: Measured) -> str:
    what, wanted = f"{MODELS[measured.name].title}: share of the `pmaddwd` limit", f"at least {100 * AVX2_SHARE:.0f} %"
    if measured.avx2 is None:
        return _row(what, "not measured", wanted)
    own, limit = _own(measured.avx2), measured.avx2["limits"][0]["gmacs_per_second"]
    share = own["share_of_limit"]
    return _row(
        what, f"{100 * share:.0f} % of {limit:.0f} GMAC/s, {own['median_ms']:.1f} ms{_mark(share >= AVX2_SHARE)}", wanted
    )


def _latencies(models: Sequence[Measured]) -> str:
    head = "| model | threads | batch | engine | ms an image | quartiles | against intvit | of the limit | peak memory |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for measured in models:
        for values in measured.cases.values():
            lines += _case_lines(MODELS[measured.name].title, values)
    return "\n".join(lines) + "\n"


def _case_lines(title: str, values: Values) -> Iterable[str]:
    titles = {row["engine"]: row["title"] for row in values["engines"]}
    ratios = {row["engine"]: row for row in values["ratios"]}
    for row in values["results"]:
        low, high = row["low_ms"] / row["batch"], row["high_ms"] / row["batch"]
        cells = (
            title,
            str(row["threads"]),
            str(row["batch"]),
            titles[row["engine"]],
            f"{row['per_image_ms']:.2f}",
            f"{low:.2f} .. {high:.2f}",
            _ratio(ratios[row["engine"]]) if row["engine"] in ratios else "",
            f"{100 * row['share_of_limit']:.0f} %",
            "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / MIB:.0f} MiB",
        )
        yield f"| {' | '.join(cells)} |"


def _profile(measured: Measured) -> str:
    profile = measured.cases[1, 1]["profile"]
    lines = [
        f"{MODELS[measured.name].title}, {profile['total_ms']:.2f} ms step by step:\n",
        "| operator | steps | ms | share | GMAC/s |",
        "|---|---|---|---|---|",
    ]
    for kind in profile["kinds"]:
        rate = f"{kind['macs'] / kind['seconds'] / 1e9:.0f}" if kind["macs"] else ""
        time = f"{1000 * kind['seconds']:.2f} | {100 * kind['share']:.1f} %"
        lines.append(f"| {kind['kind']} | {kind['nodes']} | {time} | {rate} |")
    return "\n".join(lines) + "\n"


def _core_share(models: Sequence[Measured]) -> float:
    """Return the smallest part of a core that any benchmark had: the rest went to other processes."""
    return min(row["core_share"] for m in models for values in m.cases.values() for row in values["limits"])


def _own(values: Values) -> dict[str, Any]:
    return next(row for row in values["results"] if row["engine"] == "intvit")


def _ratio(row: Values) -> str:
    return f"{row['ratio']:.2f} x ({row['low']:.2f} .. {row['high']:.2f})"


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def _mark(reached: bool) -> str:
    return "" if reached else " (not reached)"


def _row(what: str, found: str, wanted: str) -> str:
    return f"| {what} | {found} | {wanted} |"


def _section(title: str, rows: Sequence[str]) -> str:
    return f"## {title}\n\n| what | measured | wanted |\n|---|---|---|\n" + "\n".join(rows) + "\n"
