"""Measure every nonlinear approximation against the real function; write docs/results/approximations.md and its plots.

    python tools/approximation_errors.py            (ten seconds on one core)

Needs `pip install 'intvit[dev]'`. The operators' own references run on every input code there is. What is measured is listed in
tools/approximations.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from approximation_families import SOFTMAX, Family, Setting, scores
from approximations import APPROXIMATIONS, Approximation
from numpy.typing import NDArray
from operation_counts import KINDS, count_operations, widest_intermediate
from plots import COLOURS, svg_figure
from report_head import report_head

Array = NDArray[Any]
REPORT = Path(__file__).resolve().parent.parent / "docs" / "results" / "approximations.md"
CHUNK = 1 << 20
"""Elements that an operator gets at a time."""
RELATIVE_FROM = 1 / 16
"""Relative errors count where the exact value is at least this large."""
ALWAYS = 256
"""Codes below this magnitude are tried in a quick look, too."""
BINS = 300
ROW_LENGTH, ROW_SPREADS = 197, (1, 2, 5, 10, 20, 40)


@dataclass(frozen=True)
class Errors:
    """One approximation in one setting.

    Attributes:
        largest: the largest absolute error.
        at: where it lies.
        rms: the root mean square error over the family's window.
        relative: the largest relative error.
        relative_at: where that lies.
        codes: how many codes were tried.
    """

    largest: float
    at: float
    rms: float
    relative: float
    relative_at: float
    codes: int


@dataclass(frozen=True)
class Measured:
    """One approximation in all its settings, and its cost: operations an element by kind, and the widest intermediate."""

    approximation: Approximation
    errors: dict[Setting, Errors]
    operations: dict[str, float]
    widest: tuple[int, str]


def sweep(approximation: Approximation, setting: Setting, every: int = 1) -> Iterator[tuple[Array, Array, Array]]:
    """Yield x, the exact function and the operator's value for every code, or for a share of them, in chunks."""
    made = approximation.make(setting)
    family = approximation.family
    codes = np.arange(setting.low, setting.high + 1, dtype=np.int64)
    codes = codes[(np.abs(codes) < ALWAYS) | (codes % every == 0)]
    step = max(1, CHUNK // setting.channels)
    for start in range(0, len(codes), step):
        chunk = codes[start : start + step]
        values = made.step * approximation.read(made.op.reference(family.rows(chunk, setting), *made.constants))
        yield family.x(chunk, setting), family.exact(chunk, setting), family.pick(values)


def errors_of(approximation: Approximation, setting: Setting, every: int = 1) -> Errors:
    """Measure one approximation in one setting."""
    x, exact, value = (np.concatenate(parts) for parts in zip(*sweep(approximation, setting, every), strict=True))
    error = np.abs(value - exact)
    relative = np.where(np.abs(exact) >= RELATIVE_FROM, error / np.maximum(np.abs(exact), RELATIVE_FROM), 0)
    worst, worst_relative = int(error.argmax()), int(relative.argmax())
    near = np.abs(x) <= approximation.family.window
    rms = float(np.sqrt(np.square(error[near]).mean()))
    codes = len(np.unique(x))
    return Errors(float(error[worst]), float(x[worst]), rms, float(relative[worst_relative]), float(x[worst_relative]), codes)


def measure(approximation: Approximation, every: int = 1) -> Measured:
    """Measure one approximation in all settings, and count what it costs in the first one that is shown."""
    print(approximation.title, file=sys.stderr, flush=True)
    made = approximation.make(approximation.shown[0])
    inputs = (approximation.family.sample(approximation.shown[0]), *made.constants)
    return Measured(
        approximation,
        {setting: errors_of(approximation, setting, every) for setting in approximation.settings},
        dict(count_operations(made.op, inputs)),
        widest_intermediate(made.op, inputs),
    )


def report_sections(measured: Sequence[Measured], every: int = 1) -> list[str]:
    """Return the report's sections as Markdown."""
    tried = "every input code" if every == 1 else f"every {every}th input code and those near zero"
    families = list(dict.fromkeys(m.approximation.family for m in measured))
    return [
        f"The operators' references were run on {tried} of each setting.\n"
        f"Relative errors count where the exact value is at least {RELATIVE_FROM:g} in magnitude.\n",
        "## Which to choose\n\n" + choice_table(measured),
        *(family_section(family, [m for m in measured if m.approximation.family is family]) for family in families),
        "## Rows of softmax\n\n" + row_table([m.approximation for m in measured if m.approximation.family is SOFTMAX]),
    ]


def choice_table(measured: Sequence[Measured]) -> str:
    """Return one row an approximation: error, cost, bits."""
    head = ("approximation", "setting", "largest error", "rms", "largest relative", "largest error of any setting", *KINDS,
            "widest intermediate", "result")  # fmt: skip
    lines = [
        "Operations an element are counted while the reference runs, with the requantization or the row sum that the operator\n"
        "ends in; the widest intermediate is the one that the overflow certificate claims.\n",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
    ]
    for m in measured:
        usual = m.approximation.shown[0]
        errors = m.errors[usual]
        cells = (
            m.approximation.title,
            usual.title,
            f"{errors.largest:.1e}",
            f"{errors.rms:.1e}",
            f"{100 * errors.relative:.2g} %",
            f"{max(e.largest for e in m.errors.values()):.1e}",
            *(f"{m.operations[kind]:.3g}" for kind in KINDS),
            f"{m.widest[0]} bits ({m.widest[1]})",
            m.approximation.result,
        )
        lines.append(f"| {' | '.join(cells)} |")
    sources = [f"- {m.approximation.title}: {m.approximation.source}." for m in measured]
    return "\n".join([*lines, "", *sources]) + "\n"


def family_section(family: Family, measured: Sequence[Measured]) -> str:
    """Return the plot and the errors in all settings of one function's approximations."""
    lines = [
        f"## {family.title}\n",
        f"{family.text}\nRoot mean squares are taken where |x| is at most {family.window:g}.\n",
        f"![errors](approximations_{family.name}.svg)\n",
        "| approximation | setting | codes | largest error | at | rms | largest relative | at |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for m in measured:
        for setting, e in m.errors.items():
            error = f"{e.largest:.1e} | {e.at:.6g} | {e.rms:.1e} | {100 * e.relative:.2g} % | {e.relative_at:.6g}"
            lines.append(f"| {m.approximation.title} | {setting.title} | {e.codes} | {error} |")
    return "\n".join(lines) + "\n"


def row_table(approximations: Sequence[Approximation]) -> str:
    """Return what softmax makes of long rows: how much of the probability is left, and the signal to noise."""
    lines = [
        f"{ROW_LENGTH} scores, evenly spaced from the smallest to the largest code, that lie so many units apart. The sum of\n"
        "the probabilities should be 1; the signal to quantization noise is that of the probabilities.\n",
        "| approximation | scores | " + " | ".join(f"{spread} apart" for spread in ROW_SPREADS) + " |",
        "|---|---|" + "---|" * len(ROW_SPREADS),
    ]
    for approximation in approximations:
        for bits in (8, 16):
            cells = []
            for spread in ROW_SPREADS:
                mass, decibels = row_quality(approximation, scores(bits, spread / 2))
                cells.append(f"{mass:.3f}, {decibels:.1f} dB")
            lines.append(f"| {approximation.title} | {bits} bits | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def row_quality(approximation: Approximation, setting: Setting) -> tuple[float, float]:
    """Return the sum of a row's probabilities, and their signal to quantization noise in dB."""
    top = setting.high // 2
    row = np.round(np.linspace(-top, top, ROW_LENGTH))[None].astype(np.int32)
    exact = np.exp((row - top) * setting.step)
    exact /= exact.sum()
    made = approximation.make(setting)
    found = made.step * approximation.read(made.op.reference(row, *made.constants))
    return float(found.sum()), float(10 * np.log10(np.square(exact).sum() / np.square(found - exact).sum()))


def draw(family: Family, measured: Sequence[Measured], path: Path, every: int = 1) -> None:
    """Draw the error over x, one panel an approximation."""
    columns = min(2, len(measured))
    rows = -(-len(measured) // columns)
    with svg_figure(path, 8.0, 2.1 * rows) as figure:
        axes = figure.subplots(rows, columns, squeeze=False).reshape(-1)
        for axis in axes[len(measured) :]:
            axis.set_axis_off()
        for axis, m in zip(axes, measured, strict=False):
            for setting, colour in zip(m.approximation.shown, COLOURS, strict=False):
                _draw_curve(axis, m.approximation, setting, every, colour)
            axis.set_title(m.approximation.title)
            axis.set_xlabel(family.axis)
            axis.set_ylabel("relative error" if family.logarithmic else "error")
            axis.grid(visible=True)
            if len(m.approximation.shown) > 1:
                axis.legend(fontsize=7)


def _draw_curve(axis: Any, approximation: Approximation, setting: Setting, every: int, colour: str) -> None:
    """Draw the band between the smallest and the largest error of every bin of x."""
    family = approximation.family
    x, exact, value = (np.concatenate(parts) for parts in zip(*sweep(approximation, setting, every), strict=True))
    shown = (x > 0) & (exact != 0) if family.logarithmic else np.abs(x) <= family.window
    x, exact, value = x[shown], exact[shown], value[shown]
    error = np.abs(value / exact - 1) if family.logarithmic else value - exact
    places = np.log(x) if family.logarithmic else x
    edges = np.linspace(places[0], places[-1], BINS)
    starts = np.unique(np.searchsorted(places, edges[:-1]))
    low, high = np.minimum.reduceat(error, starts), np.maximum.reduceat(error, starts)
    if family.logarithmic:
        axis.loglog(x[starts], np.maximum(high, 1e-12), color=colour, label=setting.title)
    else:
        axis.fill_between(x[starts], low, high, color=colour, label=setting.title, linewidth=0.8)


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="try only every Nth code, for a quick look (1)")
    parser.add_argument("-o", "--output", type=Path, default=REPORT, help="where to write the page; its plots go beside it")
    options = parser.parse_args()
    measured = [measure(approximation, options.every) for approximation in APPROXIMATIONS]
    command = "python tools/approximation_errors.py" + (f" --every {options.every}" if options.every > 1 else "")
    parts = ["# Approximations, measured\n", report_head(command), *report_sections(measured, options.every)]
    options.output.write_text("\n".join(parts))
    for family in dict.fromkeys(m.approximation.family for m in measured):
        chosen = [m for m in measured if m.approximation.family is family]
        draw(family, chosen, options.output.with_name(f"{options.output.stem}_{family.name}.svg"), options.every)
    print(options.output.read_text())


if __name__ == "__main__":
    main()
