"""What `intvit bench` prints for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intvit.bench.case import Case
from intvit.cli.console import percent, size, table

Values = Mapping[str, Any]
_TOP_NODES = 8


def bench_text(values: Values) -> str:
    """Return the benchmark's values as tables."""
    parts = [_head(values)]
    parts += [_case(values, limit) for limit in values["limits"]]
    if values["scaling"]:
        parts.append(_scaling(values["scaling"], values["machine"]))
    if values["startup"]:
        parts.append(_startup(values["startup"]))
    if values["profile"]:
        parts.append(_profile(values["profile"]))
    return "\n\n".join(parts)


def _head(values: Values) -> str:
    macs = values["macs"]
    counted = f"{macs['integer'] / 1e9:.3f} GMAC an image"
    if macs["float"]:
        counted = f"{macs['float'] / 1e9:.3f} GMAC an image in the float model, {counted} in the integer model"
    versions = dict.fromkeys(version for row in values["engines"] for version in row["version"].split(", "))
    about = f"weights of {size(values['weights_bytes'])}, SIMD level {values['simd_level']}"
    return f"{values['model']}: {counted}, {about}\n{', '.join(versions)}"


def _case(values: Values, limit: Values) -> str:
    titles = {row["engine"]: row["title"] for row in values["engines"]}
    ratios = {row["engine"]: row for row in values["ratios"] if _same_case(row, limit)}
    rows = []
    for row in values["results"]:
        if not _same_case(row, limit):
            continue
        against = ratios.get(row["engine"])
        rows.append(
            (
                titles[row["engine"]],
                f"{row['median_ms']:.2f}",
                f"{row['low_ms']:.2f} .. {row['high_ms']:.2f}",
                f"{row['per_image_ms']:.2f}",
                f"{against['ratio']:.2f} x" if against else "",
                f"{against['low']:.2f} .. {against['high']:.2f}" if against else "",
                f"{100 * row['share_of_limit']:.0f} %",
                "-" if row["peak_bytes"] is None else size(row["peak_bytes"]),
            )
        )
    header = ("engine", "ms", "quartiles", "ms/image", "intvit is faster", "quartiles", "of int8 limit", "peak memory")
    case = Case(limit["threads"], limit["batch"]).describe()
    rounds = next(row["rounds"] for row in values["results"] if _same_case(row, limit))
    title = f"{case}; {rounds} round{'s' * (rounds > 1)}; integer limit {limit['gmacs_per_second']:.0f} GMAC/s a core"
    return f"{title}\n{table(rows, header, right=(1, 2, 3, 4, 5, 6, 7))}"


def _same_case(row: Values, other: Values) -> bool:
    return bool(row["threads"] == other["threads"] and row["batch"] == other["batch"])


def _scaling(rows: list[Values], machine: list[Values]) -> str:
    lines = [
        (
            Case(row["threads"], row["batch"]).describe(),
            Case(row["base_threads"], row["base_batch"]).describe(),
            f"{row['ratio']:.2f} x",
            f"{row['low']:.2f} .. {row['high']:.2f}",
        )
        for row in rows
    ]
    for row in machine:
        gain = f"{row['ratio']:.2f} x", f"{row['low']:.2f} .. {row['high']:.2f}"
        lines.append((f"{row['threads']} threads, bare micro-kernel", "1 thread", *gain))
    return "intvit, speed an image\n" + table(lines, ("case", "against", "faster", "quartiles"), right=(2, 3))


def _startup(row: Values) -> str:
    lines = [
        ("import intvit", f"{1000 * row['import_intvit']:.0f} ms"),
        ("process start to first logits", f"{row['first_logits']:.2f} s"),
        ("compiling all kernels", f"{row['compile_kernels']:.1f} s"),
    ]
    return table(lines, right=(1,))


def _profile(profile: Values) -> str:
    kinds = [
        (k["kind"], str(k["nodes"]), f"{1e3 * k['seconds']:.3f}", percent(k["share"]), *_products(k)) for k in profile["kinds"]
    ]
    longest = sorted(profile["nodes"], key=lambda node: -node["seconds"])[:_TOP_NODES]
    nodes = [(n["node"], n["kind"], f"{1e3 * n['seconds']:.3f}", *_products(n)) for n in longest]
    return "\n".join(
        [
            f"one image, one thread, step by step: {profile['total_ms']:.2f} ms",
            table(kinds, ("operator", "steps", "ms", "share", "MMAC", "GMAC/s"), right=(1, 2, 3, 4, 5)),
            "",
            table(nodes, ("longest steps", "operator", "ms", "MMAC", "GMAC/s"), right=(2, 3, 4)),
        ]
    )


def _products(row: Values) -> tuple[str, str]:
    """Return millions of multiply-accumulates and how many billions a second, for what is a product."""
    if not row["macs"]:
        return "", ""
    return f"{row['macs'] / 1e6:.1f}", f"{row['macs'] / row['seconds'] / 1e9:.0f}"
