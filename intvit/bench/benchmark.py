"""The whole benchmark: peers prepared, every case timed in turns, memory measured, and all of it as one JSON-ready value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intvit.bench.case import Case, quiet, reason, time_case
from intvit.bench.engines import OWN
from intvit.bench.engines.engine import BenchEngine, Source
from intvit.bench.inputs import Inputs
from intvit.bench.interleave import Effort
from intvit.bench.memory import peak_bytes
from intvit.bench.results import Row, failure_rows, limit_row, machine_rows, ratio_rows, result_rows, scaling_rows
from intvit.bench.scaling import time_scaling
from intvit.errors import CheckFailed

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Prepared:
    """The engines that can run, and why the others can't.

    Attributes:
        models: the file that each engine runs; this project's engine is first.
        skipped: rows of `engine` and `reason`.
    """

    models: Mapping[BenchEngine, Path]
    skipped: Sequence[Row]


def prepare_engines(peers: Sequence[BenchEngine], source: Source, folder: Path, progress: Progress) -> Prepared:
    """Make the models that the peers run.

    Args:
        peers: what to compare with.
        source: the model.
        folder: where quantized models are kept.
        progress: called with (stage, done, in all).
    """
    models: dict[BenchEngine, Path] = {OWN: OWN.prepare(source, folder)}
    skipped = []
    for peer in peers:
        if missing := peer.missing():
            skipped.append({"engine": peer.name, "reason": f"not installed: pip install {' '.join(missing)}"})
            continue
        stage = f"prepare {peer.title}"
        progress(stage, 0, 1)
        try:
            with quiet():
                models[peer] = peer.prepare(source, folder)
        except Exception as error:  # peers raise all kinds of errors
            skipped.append({"engine": peer.name, "reason": reason(error)})
        progress(stage, 1, 1)
    return Prepared(models, skipped)


def run_benchmark(
    prepared: Prepared, cases: Sequence[Case], inputs: Inputs, macs: int, effort: Effort, progress: Progress
) -> dict[str, Any]:
    """Measure all engines in all cases.

    Args:
        prepared: what `prepare_engines` returned.
        cases: combinations of threads and batch.
        inputs: at least as many images as the largest batch has.
        macs: the multiply-accumulates of one image, which the share of the limit counts.
        effort: how long to measure each case.
        progress: called with (stage, done, in all).

    Returns:
        The lists `engines`, `skipped`, `limits`, `results`, `ratios`, `scaling` and `machine`.
    """
    values: dict[str, Any] = {
        "engines": [{"engine": e.name, "title": e.title, "version": e.version()} for e in prepared.models],
        "skipped": list(prepared.skipped),
        **{key: [] for key in ("limits", "results", "ratios", "scaling", "machine")},
    }
    for case in cases:
        times = time_case(prepared.models, case, inputs, effort, _stage(progress, f"time {case.describe()}"))
        able = {engine: model for engine, model in prepared.models.items() if engine.name in times.seconds}
        peaks = _peaks(able, case, inputs, _stage(progress, f"memory {case.describe()}"))
        values["limits"].append(limit_row(times))
        values["results"] += result_rows(times, macs, peaks)
        values["ratios"] += ratio_rows(times, OWN.name)
        values["skipped"] += failure_rows(times)
    if len(cases) > 1:
        scaling = time_scaling(OWN, prepared.models[OWN], cases, inputs, effort, _stage(progress, "time threads and batches"))
        values["scaling"], values["machine"] = scaling_rows(scaling.gains), machine_rows(scaling.machine)
    return values


def _peaks(
    models: Mapping[BenchEngine, Path], case: Case, inputs: Inputs, progress: Callable[[int, int], None]
) -> dict[str, int | None]:
    _, height, width, _ = inputs.pixels.shape
    peaks: dict[str, int | None] = {}
    for engine, model in models.items():
        progress(len(peaks), len(models))
        try:
            peaks[engine.name] = peak_bytes(engine, model, case.threads, case.batch, (height, width))
        except CheckFailed:
            peaks[engine.name] = None
    progress(len(peaks), len(models))
    return peaks


def _stage(progress: Progress, name: str) -> Callable[[int, int], None]:
    return lambda done, total: progress(name, done, total)
