"""The look of the reports' plots: SVG, readable on light and dark pages, the same bytes for the same figures."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEXT = "#808080"
COLOURS = ("#1f9e6e", "#d1722b", "#4477aa", "#aa3377", "#8a97a6", "#b8a52c", "#66aadd", "#995544")
SETTINGS: Any = {
    "svg.hashsalt": "intvit",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": TEXT,
    "axes.labelcolor": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "grid.color": TEXT,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.labelcolor": TEXT,
    "lines.linewidth": 1.0,
    "text.color": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


@contextmanager
def svg_figure(path: Path, width: float, height: float) -> Iterator[Any]:
    """Yield a matplotlib figure of that many inches, and write it to `path` at the end."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(SETTINGS):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        output = io.BytesIO()
        figure.savefig(output, format="svg", transparent=True, metadata={"Date": None})
    path.write_bytes(output.getvalue())
