"""A comparison as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from intvit.report.comparison import NodeComparison

_FULL_BAR_DB = 60
_STYLE = """
body { font: 14px system-ui, sans-serif; margin: 2em; }
table { border-collapse: collapse; }
td, th { padding: 2px 10px; text-align: left; border-bottom: 1px solid #ddd; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.bar div { background: #4a90d9; height: 10px; }
tr.worst { background: #fde8e8; }
"""


def comparison_page(nodes: Sequence[NodeComparison], worst: str | None, images: int) -> str:
    """Return the page.

    Args:
        nodes: the comparison.
        worst: the node to mark.
        images: how many images it was measured on.
    """
    rows = "\n".join(_row(node, is_worst=node.node == worst) for node in nodes)
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>intvit compare</title>"
        f"<style>{_STYLE}</style></head><body>\n<h1>Integer against float, node by node</h1>\n"
        f"<p>Signal to quantization noise on {images} images; the worst node is marked.</p>\n"
        "<table><tr><th>node</th><th>operator</th><th>type</th><th>SQNR (dB)</th><th></th><th>saturated</th></tr>\n"
        f"{rows}\n</table></body></html>\n"
    )


def _row(node: NodeComparison, *, is_worst: bool) -> str:
    decibels = "" if node.sqnr_db is None else f"{node.sqnr_db:.1f}"
    width = 0 if node.sqnr_db is None else round(200 * min(max(node.sqnr_db, 0) / _FULL_BAR_DB, 1))
    saturated = "" if node.saturated is None else f"{100 * node.saturated:.2f} %"
    texts = "".join(f"<td>{escape(text)}</td>" for text in (node.node, node.kind, node.dtype))
    return (
        f"<tr{' class=worst' if is_worst else ''}>{texts}<td class='number'>{decibels}</td>"
        f"<td class='bar'><div style='width:{width}px'></div></td><td class='number'>{saturated}</td></tr>"
    )
