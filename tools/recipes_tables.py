"""The tables of docs/results/recipes.md and ablation.md, from what tools/recipes_measure.py measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from published import FLOAT_TOP1, PUBLISHED, Published
from recipes_ladder import BASE, COMPARED, Rung
from recipes_measure import Row

NOT_FOUND = "not found"


@dataclass(frozen=True)
class Step:
    """One step of an ablation: the ingredient's title and what `intvit eval` gave with it and all before it."""

    title: str
    evaluation: dict[str, Any]


@dataclass(frozen=True)
class Results:
    """All that was measured of one task.

    Attributes:
        name: the task's name, for file names.
        title: for people.
        published: whether the published figures are about this model.
        rows: the rungs.
        steps: the ablation; empty if it was not asked for.
        replaced: the default, and with one operator replaced; empty likewise.
        noise: SQNR by float value of some rungs.
    """

    name: str
    title: str
    published: bool
    rows: Sequence[Row]
    steps: Sequence[Step]
    replaced: Sequence[Step]
    noise: dict[str, dict[str, float]]


def ladder_sections(results: Sequence[Results]) -> list[str]:
    """Return the sections on whole recipes as Markdown."""
    parts = []
    for task in results:
        parts += [ladder_section(task)] if task.rows else []
        parts += [published_section(task.rows)] if task.rows and task.published else []
    return [*parts, NOISE_SECTION] if any(task.noise for task in results) else parts


def ablation_sections(results: Sequence[Results]) -> list[str]:
    """Return the sections on ingredients as Markdown."""
    parts = []
    if steps := [task for task in results if task.steps]:
        parts.append(
            "## One ingredient at a time\n\n![signal to noise](recipes_ablation.svg)\n\n" + _join(map(ablation_table, steps))
        )
    if replaced := [task for task in results if task.replaced]:
        parts.append("## One operator replaced\n\nGains are against the default.\n\n" + _join(map(replaced_table, replaced)))
    return parts


NOISE_SECTION = """## Where the noise arises

Signal to quantization noise of every float value that integers stand for, in executing order; of several nodes that stand for
one value, the noisiest.

![signal to noise by site](recipes_sites.svg)
"""


def ladder_section(task: Results) -> str:
    """Return one task's table of rungs."""
    images = task.rows[0].evaluation["images"]
    float_top1 = 100 * task.rows[0].evaluation["float_top1"]
    head = ["recipe", "bits", "top-1", "drop", "agreement", "logit SQNR", "file"]
    head += ["one image", f"of `{BASE.recipe}` at {BASE.bits}", "conversion"]
    head += ["drop that its paper has"] if task.published else []
    lines = [
        f"## {task.title}\n",
        f"{images} images, of which float gets {float_top1:.2f} % right. Drops are in points against float, agreement is per\n"
        "image, and one image is timed on one thread in turns with the default.\n",
        f"![signal to noise](recipes_{task.name}.svg)\n",
        _line(head),
        "|" + "---|" * len(head),
    ]
    for row in task.rows:
        cells = ladder_cells(row)
        lines.append(_line([*cells, published_drops(row.rung)] if task.published else cells))
    return "\n".join(lines) + "\n"


def ladder_cells(row: Row) -> list[str]:
    """Return the cells of one rung."""
    e, latency = row.evaluation, row.latency
    return [
        f"`{row.rung.recipe}`",
        row.rung.bits,
        f"{100 * e['top1']:.2f} %",
        f"{100 * (e['float_top1'] - e['top1']):+.2f}",
        f"{100 * e['agreement']:.2f} %",
        decibels(e["logit_sqnr_db"]),
        f"{row.conversion['integer_bytes'] / 1e6:.2f} MB",
        f"{latency['median_ms']:.2f} ms",
        f"{latency['ratio']:.2f} x ({latency['low']:.2f} .. {latency['high']:.2f})",
        f"{row.conversion['seconds']:.0f} s",
    ]


def published_drops(rung: Rung, figures: Sequence[Published] = PUBLISHED) -> str:
    """Return the drops that the papers of a recipe have at its width."""
    own = [f for f in figures if f.recipe == rung.recipe]
    found = [f for f in own if (f.weight_bits, f.act_bits) == (rung.weight_bits, rung.act_bits)]
    if not own:
        return ""
    return (
        "; ".join(f"{published_drop(f)} ({f.how.split(',')[0]})" if f.drop is not None else NOT_FOUND for f in found)
        or NOT_FOUND
    )


def published_drop(figure: Published) -> str:
    """Return a figure's drop in points."""
    return NOT_FOUND if figure.drop is None else f"{figure.drop:+.2f}"


def published_section(rows: Sequence[Row], figures: Sequence[Published] = PUBLISHED) -> str:
    """Return the published figures beside the smallest drop that was measured at each width."""
    lines = [
        "## Beside published figures for DeiT-Tiny\n",
        f"They are from the whole validation set, where float gets {FLOAT_TOP1} %, and the rows of this package from the\n"
        "images above: compare drops, not levels.\n",
        "| bits | method | top-1 | drop | how | source |",
        "|---|---|---|---|---|---|",
    ]
    for bits in dict.fromkeys((f.weight_bits, f.act_bits) for f in figures):
        if measured := [row for row in rows if (row.rung.weight_bits, row.rung.act_bits) == bits]:
            lines.append(best_line(measured))
        for f in figures:
            if (f.weight_bits, f.act_bits) == bits:
                top1 = NOT_FOUND if f.top1 is None else f"{f.top1:.2f} %"
                lines.append(_line([f"W{bits[0]}A{bits[1]}", f.method, top1, published_drop(f), f.how, f.source]))
    return "\n".join(lines) + "\n"


def best_line(rows: Sequence[Row]) -> str:
    """Return the line of the rung with the highest logit SQNR, which tells more than a few hundred labels."""
    best = max(rows, key=lambda row: row.evaluation["logit_sqnr_db"] or 0)
    e = best.evaluation
    name, how = f"**this package, `{best.rung.recipe}`**", "calibrated only, integer only"
    drop = f"{100 * (e['float_top1'] - e['top1']):+.2f}"
    return _line([best.rung.bits, name, f"{100 * e['top1']:.2f} %", drop, how, f"measured here, {e['images']} images"])


def ablation_table(task: Results) -> str:
    """Return the accuracy after each ingredient; gains are against the step before."""
    return steps_table(task.title, task.steps, [None, *task.steps[:-1]])


def replaced_table(task: Results) -> str:
    """Return the accuracy with each operator replaced; gains are against the default."""
    return steps_table(task.title, task.replaced, [None, *[task.replaced[0]] * (len(task.replaced) - 1)])


def steps_table(title: str, steps: Sequence[Step], bases: Sequence[Step | None]) -> str:
    """Return the accuracy of each step, and its gain against another."""
    lines = [f"{title}:\n", "| recipe | logit SQNR | gain | agreement | drop |", "|---|---|---|---|---|"]
    for step, base in zip(steps, bases, strict=True):
        e = step.evaluation
        before, now = base and base.evaluation["logit_sqnr_db"], e["logit_sqnr_db"]
        gain = "" if before is None or now is None else f"{now - before:+.2f} dB"
        drop = f"{100 * (e['float_top1'] - e['top1']):+.2f}"
        lines.append(_line([step.title, decibels(now), gain, f"{100 * e['agreement']:.2f} %", drop]))
    return "\n".join(lines) + "\n"


def compared(rungs: Sequence[Rung]) -> list[Rung]:
    """Return the rungs whose noise is drawn: those of `COMPARED` that are measured, or else the first."""
    return [rung for rung in COMPARED if rung in rungs] or list(rungs[:1])


def decibels(value: float | None) -> str:
    """Return an SQNR; None means that there is no noise at all."""
    return "exact" if value is None else f"{value:.2f} dB"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _join(parts: Iterable[str]) -> str:
    return "\n".join(parts)
