"""`intvit eval`: accuracy on labelled images, and agreement with the float model."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from intvit.cli.console import Console, decibels, percent, table
from intvit.cli.inputs import import_float, open_session, positive
from intvit.cli.progress import StageProgress

if TYPE_CHECKING:
    from intvit.report.evaluation import Evaluation
    from intvit.report.float_model import FloatModel
    from intvit.runtime.session import Session

NAME = "eval"
HELP = "measure accuracy on labelled images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL.onnx", help="the integer model")
    parser.add_argument("--images", metavar="DIR", required=True, help="the folder that the labels' file names are relative to")
    parser.add_argument("--labels", metavar="CSV", required=True, help="a CSV with the header file,label")
    parser.add_argument("--float", metavar="FLOAT.onnx", dest="float_model", help="the float model, to compare with")
    parser.add_argument("--limit", metavar="N", type=positive, help="use only N images, spread evenly over the list")
    parser.add_argument("--threads", metavar="N", type=positive, default=1, help="images computed at the same time (1)")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    from intvit.data.images import sample_evenly
    from intvit.data.labels import read_labels
    from intvit.report.evaluation import evaluate
    from intvit.runtime.session import Session

    described = Session(options.model, executor="reference")
    classes = described.get_outputs()[0].shape[-1]
    labels = dict(read_labels(options.labels, options.images, int(classes)))
    paths = sample_evenly(list(labels), options.limit or len(labels))
    float_model = _float_model(options.float_model, described) if options.float_model else None
    session = open_session(described.model, console, options.threads)
    with StageProgress(console) as progress:
        result = evaluate(session, [(path, labels[path]) for path in paths], float_model, progress)
    console.result(asdict(result), _text(result))
    return 0


def _float_model(path: str, session: Session) -> FloatModel:
    canonical = import_float(path)
    from intvit.report.float_model import FloatModel, require_same_form

    require_same_form(canonical, session)
    return FloatModel(canonical, session.preprocess)


def _text(result: Evaluation) -> str:
    rows = [
        ("images", str(result.images)),
        ("top-1", percent(result.top1)),
        ("top-5", percent(result.top5)),
        ("float top-1", percent(result.float_top1)),
        ("agreement with float", percent(result.agreement)),
        ("logit SQNR", decibels(result.logit_sqnr_db)),
        ("images per second", f"{result.images_per_second:.1f}"),
    ]
    return table([row for row in rows if row[1] != "-"], right=(1,))
