"""`intvit run`: the likeliest classes of images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intvit.cli.console import Console, table
from intvit.cli.inputs import open_session, positive

if TYPE_CHECKING:
    from intvit.runtime.session import Session

NAME = "run"
HELP = "classify images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL.onnx", help="the integer model")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="PNG, JPEG, BMP, PPM or WebP files")
    parser.add_argument("--top", metavar="K", type=positive, default=5, help="how many classes to show (5)")
    parser.add_argument("--threads", metavar="N", type=positive, default=1, help="images computed at the same time (1)")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    from intvit.report.pixels import read_batches

    session = open_session(options.model, console, options.threads)
    paths = [Path(image) for image in options.images]
    results = [
        entry
        for pixels in read_batches(paths, session.preprocess)
        for entry in _classify(session, session.run(pixels), options.top)
    ]
    images = [{"file": file, "top": top} for file, top in zip(options.images, results, strict=True)]
    console.result({"images": images}, "\n".join(_text(image) for image in images))
    return 0


def _classify(session: Session, logits: Any, count: int) -> list[list[dict[str, Any]]]:
    """Return the likeliest classes of each image; `behind` is how far a logit lies below the best, in real units."""
    from intvit.report.evaluation import rank

    scale = session.output_scales.get(session.outputs[0], 1)
    labels = session.labels
    return [
        [
            {
                "class": int(c),
                "label": labels[c] if c < len(labels) else None,
                "logit": int(row[c]),
                "behind": float(scale * (int(row[classes[0]]) - int(row[c]))),
            }
            for c in classes
        ]
        for row, classes in zip(logits, rank(logits, count), strict=True)
    ]


def _text(image: dict[str, Any]) -> str:
    rows = [
        (str(t["class"]), t["label"] or "", str(t["logit"]), f"-{t['behind']:.2f}" if t["behind"] else "best")
        for t in image["top"]
    ]
    indented = "\n".join(f"  {line}" for line in table(rows, right=(0, 2, 3)).splitlines())
    return f"{image['file']}\n{indented}"
