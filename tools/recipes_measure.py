"""Measures recipes on a model and keeps every result, so that an interrupted report goes on where it was."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab import CONVERTERS, digest, intvit, kept, sources
from recipes_ladder import BASE, Rung

from intvit.quantize.recipe import Recipe

COMPARED_IMAGES = 8


@dataclass(frozen=True)
class Task:
    """A float model with its images.

    Attributes:
        name: for file names.
        title: for people.
        float_model: the ONNX file.
        preprocess: what `--preprocess` takes.
        calibration: a folder of images.
        images: the folder that the labels are for.
        labels: a CSV with the header `file,label`.
    """

    name: str
    title: str
    float_model: Path
    preprocess: str
    calibration: Path
    images: Path
    labels: Path


@dataclass(frozen=True)
class Row:
    """One rung of one task: what `quantize`, `eval` and the latency in turns with `BASE` gave."""

    rung: Rung
    conversion: dict[str, Any]
    evaluation: dict[str, Any]
    latency: dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """Where results are kept, and how much is measured.

    Attributes:
        work: the folder that keeps what was made.
        images: how many labelled images are used; None for all.
        calibration_images: how many images each conversion sees.
        seconds: time for the rounds of each latency.
    """

    work: Path
    images: int | None
    calibration_images: int
    seconds: int

    def row(self, task: Task, rung: Rung) -> Row:
        """Measure one rung."""
        model, conversion = self.converted(task, rung)
        base, _ = self.converted(task, BASE)
        return Row(rung, conversion, self.evaluated(task, model), self.timed(task, model, base))

    def converted(self, task: Task, rung: Rung) -> tuple[Path, dict[str, Any]]:
        """Return a rung's integer model and what `intvit quantize` said of it."""
        how = ("--calib", task.calibration, "--calib-images", self.calibration_images, "--preprocess", task.preprocess)
        recipe = ("--recipe", rung.recipe, "--weight-bits", rung.weight_bits, "--act-bits", rung.act_bits)
        model, values = self._model_files(task, rung.name, (*how, *recipe))
        return model, kept(values, lambda: intvit("quantize", task.float_model, *how, *recipe, "-o", model))

    def built(self, task: Task, recipe: Recipe) -> Path:
        """Return the integer model of a recipe that has no name on the command line."""
        how = (task.calibration, self.calibration_images, task.preprocess, recipe)
        model, values = self._model_files(task, recipe.name, how)
        kept(values, lambda: self._quantize(task, recipe, model))
        return model

    def evaluated(self, task: Task, model: Path) -> dict[str, Any]:
        """Return what `intvit eval` says of a model."""
        limit = () if self.images is None else ("--limit", self.images)
        line = ("eval", model, "--images", task.images, "--labels", task.labels, "--float", task.float_model, *limit)
        return kept(self._file("eval", task, (*line, task.labels.read_text()), [model]), lambda: intvit(*line))

    def timed(self, task: Task, model: Path, base: Path) -> dict[str, Any]:
        """Return the latency of a model for one image on one thread, measured in turns with another's."""
        path = self._file("latency", task, (self.seconds,), [model, base])
        return kept(path, lambda: latency_in_turns(model, base, self.seconds))

    def noise(self, task: Task, model: Path) -> dict[str, float]:
        """Return the lowest SQNR in dB of the nodes that stand for each float value, in executing order."""
        line = ("compare", task.float_model, model, "--images", task.images, "--limit", COMPARED_IMAGES)
        nodes = kept(self._file("compare", task, line, [model]), lambda: intvit(*line))["nodes"]
        return lowest_by_source(nodes)

    def _quantize(self, task: Task, recipe: Recipe, model: Path) -> dict[str, Any]:
        """Convert through the package's interface."""
        from intvit import quantize
        from intvit.data.images import list_images, sample_evenly
        from intvit.data.preprocess import Preprocess
        from intvit.importer import import_onnx
        from intvit.report.pixels import read_pixels

        print("quantize", task.name, recipe.name, file=sys.stderr, flush=True)
        canonical = import_onnx(task.float_model)
        _, _, height, width = canonical.shapes[str(canonical.model.graph.inputs[0].name)]
        preprocess = Preprocess.resolve(task.preprocess, int(height), int(width))
        paths = sample_evenly(list_images(task.calibration), self.calibration_images)
        integer = quantize(canonical, [read_pixels(path, preprocess) for path in paths], recipe=recipe, preprocess=preprocess)
        integer.save(str(model))
        return {"integer_bytes": model.stat().st_size}

    def _model_files(self, task: Task, name: str, how: Sequence[object]) -> tuple[Path, Path]:
        """Return where a model and what is known of its conversion are kept."""
        key = digest([task.float_model, *sources(*CONVERTERS)], " ".join(map(str, how)))
        stem = f"{task.name}-{name.replace(' ', '-')}-{key}"
        model, values = self.work / f"{stem}.onnx", self.work / f"{stem}.json"
        if not model.exists():
            values.unlink(missing_ok=True)
        return model, values

    def _file(self, part: str, task: Task, how: Sequence[object], models: Sequence[Path]) -> Path:
        """Return where a result is kept that depends on the whole package and on some models."""
        key = digest([task.float_model, *models, *sources("")], " ".join(str(h) for h in how if h not in models))
        return self.work / f"{task.name}-{part}-{key}.json"


def lowest_by_source(nodes: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return the lowest SQNR of the nodes of each float value, those without any left out."""
    lowest: dict[str, float] = {}
    for node in nodes:
        if node["sqnr_db"] is not None:
            lowest[node["source"]] = min(node["sqnr_db"], lowest.get(node["source"], node["sqnr_db"]))
    return lowest


def latency_in_turns(model: Path, base: Path, seconds: int) -> dict[str, Any]:
    """Time one image on one thread, in turns with another model; return medians in ms, and those of the rounds' ratios."""
    from intvit import Session
    from intvit.bench.inputs import random_pixels
    from intvit.bench.interleave import Effort, interleave
    from intvit.bench.statistics import ratio, spread

    print("latency of", model.name, file=sys.stderr, flush=True)
    sessions = {path: Session(path) for path in (model, base)}
    pixels = random_pixels(1, sessions[base].image_size)
    calls = {path: partial(session.run, pixels) for path, session in sessions.items()}
    times = interleave(calls, Effort(seconds))
    compared = ratio(times[model], times[base])
    return {
        "median_ms": 1000 * spread(times[model]).median,
        "base_ms": 1000 * spread(times[base]).median,
        "ratio": compared.by_round.median,
        "low": compared.by_round.low,
        "high": compared.by_round.high,
    }
