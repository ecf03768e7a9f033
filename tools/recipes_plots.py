"""The plots of docs/results/recipes.md and ablation.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plots import COLOURS, TEXT, svg_figure
from recipes_ladder import BASE
from recipes_tables import Results, decibels

BAR, HEAD = 0.26, 0.7


def draw_all(results: Sequence[Results], folder: Path) -> None:
    """Draw what there is, into the folder of the pages."""
    for task in results:
        if task.rows:
            draw_ladder(task, folder / f"recipes_{task.name}.svg")
    if steps := [task for task in results if task.steps]:
        draw_ablation(steps, folder / "recipes_ablation.svg")
    if noise := [task for task in results if task.noise]:
        draw_noise(noise, folder / "recipes_sites.svg")


def draw_ladder(task: Results, path: Path) -> None:
    """Draw the logits' signal to noise of every rung."""
    with svg_figure(path, 8.0, HEAD + BAR * len(task.rows)) as figure:
        axis = figure.subplots()
        values = [row.evaluation["logit_sqnr_db"] for row in task.rows]
        texts = [
            f"{decibels(v)}, {100 * row.evaluation['agreement']:.1f} % agree" for v, row in zip(values, task.rows, strict=True)
        ]
        own = [row.rung == BASE for row in task.rows]
        _bars(axis, [row.rung.name for row in task.rows], values, texts, own)
        axis.set_title(f"{task.title}: logit SQNR")


def draw_ablation(tasks: Sequence[Results], path: Path) -> None:
    """Draw the logits' signal to noise after each ingredient."""
    heights = [HEAD + BAR * len(task.steps) for task in tasks]
    with svg_figure(path, 8.0, sum(heights)) as figure:
        axes = figure.subplots(len(tasks), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axis, task in zip(axes, tasks, strict=True):
            values = [step.evaluation["logit_sqnr_db"] for step in task.steps]
            names = [step.title.replace("`", "") for step in task.steps]
            _bars(axis, names, values, [decibels(v) for v in values], [i == len(values) - 1 for i in range(len(values))])
            axis.set_title(f"{task.title}: logit SQNR after each ingredient")


def draw_noise(tasks: Sequence[Results], path: Path) -> None:
    """Draw the signal to noise of every site over its depth, a line a recipe."""
    with svg_figure(path, 8.0, 2.8 * len(tasks)) as figure:
        axes = figure.subplots(len(tasks), 1, squeeze=False)[:, 0]
        for axis, task in zip(axes, tasks, strict=True):
            place = {source: i for i, source in enumerate(dict.fromkeys(s for line in task.noise.values() for s in line))}
            for (name, line), colour in zip(task.noise.items(), COLOURS, strict=False):
                points = sorted((place[source], value) for source, value in line.items())
                axis.plot(*zip(*points, strict=True), ".-", color=colour, label=name, markersize=3, linewidth=0.6)
            axis.set_title(f"{task.title}: SQNR by site")
            axis.set_xlabel("site, in executing order")
            axis.set_ylabel("dB")
            axis.grid(visible=True, axis="y")
            axis.legend()


def _bars(axis: Any, names: Sequence[str], values: Sequence[float | None], texts: Sequence[str], own: Sequence[bool]) -> None:
    """Draw labelled horizontal bars; a value of None has none."""
    lengths = [value or 0.0 for value in values]
    axis.barh(range(len(names)), lengths, height=0.7, color=[COLOURS[0] if mine else COLOURS[4] for mine in own])
    for place, (length, text) in enumerate(zip(lengths, texts, strict=True)):
        axis.text(max(length, 0) + max(*lengths, 1) / 100, place, text, va="center", color=TEXT)
    axis.set_yticks(range(len(names)), names)
    axis.set_xlim(min(0, *lengths), 1.35 * max(*lengths, 1))
    axis.xaxis.set_visible(False)
    axis.tick_params(left=False)
    axis.spines[:].set_visible(False)
    axis.invert_yaxis()
