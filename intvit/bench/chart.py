"""A bar chart of latencies relative to this engine, readable on light and dark pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intvit.errors import UsageError

FORMATS = (".svg", ".png")
_OWN_COLOUR, _PEER_COLOUR, _TEXT_COLOUR = "#1f9e6e", "#8a97a6", "#808080"
_WIDTH, _BAR_HEIGHT, _HEAD_HEIGHT = 8.0, 0.3, 0.6


@dataclass(frozen=True)
class Bar:
    """One engine.

    Attributes:
        title: its name.
        relative: its latency, where this engine's is 1.
        milliseconds: its latency.
        own: whether it is this engine.
    """

    title: str
    relative: float
    milliseconds: float
    own: bool


@dataclass(frozen=True)
class Panel:
    """The bars of one model, number of threads and batch."""

    title: str
    bars: Sequence[Bar]


def chart_format(path: str) -> str:
    """Return the format that a file's ending asks for.

    Raises:
        UsageError: it is not one of `FORMATS`.
    """
    ending = path[path.rfind(".") :].lower() if "." in path else ""
    if ending not in FORMATS:
        raise UsageError("unknown kind of chart", where="--chart", expected=" or ".join(FORMATS), found=repr(path))
    return ending[1:]


def draw_chart(panels: Sequence[Panel], kind: str) -> bytes:
    """Return the chart as a file's bytes, the same for the same panels.

    Args:
        panels: drawn below each other.
        kind: `svg` or `png`.
    """
    import matplotlib
    from matplotlib.figure import Figure

    heights = [_HEAD_HEIGHT + _BAR_HEIGHT * len(panel.bars) for panel in panels]
    settings: Any = {
        "svg.hashsalt": "intvit",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": _TEXT_COLOUR,
        "ytick.color": _TEXT_COLOUR,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
        axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        widest = max(bar.relative for panel in panels for bar in panel.bars)
        for panel, axis in zip(panels, axes, strict=True):
            _draw_panel(axis, panel, widest)
        output = io.BytesIO()
        unstamped = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(output, format=kind, transparent=True, dpi=144, metadata=unstamped)
    return output.getvalue()


def _draw_panel(axis: Any, panel: Panel, widest: float) -> None:
    places = range(len(panel.bars))
    colours = [_OWN_COLOUR if bar.own else _PEER_COLOUR for bar in panel.bars]
    axis.barh(places, [bar.relative for bar in panel.bars], height=0.72, color=colours)
    for place, bar in zip(places, panel.bars, strict=True):
        text = f"{bar.relative:.2f} x   ({bar.milliseconds:.{1 if bar.milliseconds >= 10 else 2}f} ms)"
        axis.text(bar.relative + widest / 80, place, text, va="center", weight="bold" if bar.own else "normal")
    axis.set_yticks(places, [bar.title for bar in panel.bars])
    axis.set_xlim(0, 1.3 * widest)
    axis.xaxis.set_visible(False)
    axis.tick_params(left=False)
    axis.spines[:].set_visible(False)
    axis.invert_yaxis()
    axis.set_title(panel.title, loc="left", fontsize=11)
