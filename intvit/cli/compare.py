"""`intvit compare`: where accuracy went, node by node."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from intvit.cli.console import Console, decibels, percent, table
from intvit.cli.inputs import folder_pixels, import_float, positive
from intvit.cli.progress import StageProgress

if TYPE_CHECKING:
    from intvit.report.comparison import NodeComparison

NAME = "compare"
HELP = "compare an integer model with its float model, node by node"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("float_model", metavar="FLOAT.onnx", help="the float model")
    parser.add_argument("model", metavar="MODEL.onnx", help="the integer model made from it")
    parser.add_argument("--images", metavar="DIR", required=True, help="a folder of images")
    parser.add_argument("--limit", metavar="N", type=positive, default=8, help="how many of them to use (8)")
    parser.add_argument("--html", metavar="FILE", help="write the table as a page, too")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    from intvit.files import check_writable, write_atomically
    from intvit.runtime.session import Session

    if options.html:
        check_writable(options.html)
    session = Session(options.model, executor="reference")
    canonical = import_float(options.float_model)
    from intvit.report.comparison import compare_nodes, worst_first

    if canonical.source_sha256 != session.info.source_sha256:
        console.warn(f"{options.model} was made from another file than {options.float_model}")
    pixels: list[Any] = folder_pixels(options.images, options.limit, session.preprocess)
    with StageProgress(console) as progress:
        nodes = compare_nodes(session.model, canonical, pixels, progress)
    worst = next((node.node for node in worst_first(nodes)), None)
    if options.html:
        from intvit.report.page import comparison_page

        write_atomically(options.html, comparison_page(nodes, worst, len(pixels)).encode())
    values = {"images": len(pixels), "worst": worst, "nodes": [asdict(node) for node in nodes]}
    console.result(values, _text(nodes, worst))
    return 0


def _text(nodes: list[NodeComparison], worst: str | None) -> str:
    rows = [
        (n.node, n.kind, n.dtype, decibels(n.sqnr_db), percent(n.saturated), "<- worst" if n.node == worst else "")
        for n in nodes
    ]
    return table(rows, ("node", "operator", "type", "SQNR", "saturated", ""), right=(3, 4))
