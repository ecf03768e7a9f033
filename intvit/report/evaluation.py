"""Accuracy on labelled images, and agreement with the float model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intvit.errors import UsageError
from intvit.report.pixels import Progress, read_batches
from intvit.report.sqnr import Sqnr
from intvit.runtime.session import Session

if TYPE_CHECKING:
    from intvit.report.float_model import FloatModel

Array = NDArray[Any]
TOP = 5


@dataclass(frozen=True)
class Evaluation:
    """The outcome; shares lie between 0 and 1, and what needs the float model is None without it.

    Attributes:
        images: how many images were used.
        top1: the share whose likeliest class is the label.
        top5: the share whose label is among the five likeliest classes.
        float_top1: `top1` of the float model.
        agreement: the share for which both models have the same likeliest class.
        logit_sqnr_db: signal to quantization noise of the logits.
        images_per_second: of the integer model alone, without reading and resizing images.
    """

    images: int
    top1: float
    top5: float
    float_top1: float | None
    agreement: float | None
    logit_sqnr_db: float | None
    images_per_second: float


def evaluate(
    session: Session,
    labelled: Sequence[tuple[Path, int]],
    float_model: FloatModel | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Run a model on labelled images.

    Args:
        session: the integer model.
        labelled: image files and their classes.
        float_model: the model to compare with.
        progress: called with (stage, done, in all).

    Raises:
        InputFileError: an image can't be used.
        UsageError: the float model has other outputs than the integer model.
    """
    output = session.outputs[0]
    scale = float(session.output_scales.get(output, 1))
    labels = np.array([label for _, label in labelled])
    seconds, ranked, float_best, sqnr = 0.0, [], [], Sqnr()
    for pixels in read_batches([path for path, _ in labelled], session.preprocess, progress, "evaluate"):
        started = time.perf_counter()
        logits = session.run(pixels)
        seconds += time.perf_counter() - started
        ranked.append(rank(logits, TOP))
        if float_model:
            (exact,) = float_model.run([output], pixels)
            _require_shape(exact, logits)
            float_best.append(exact.argmax(1))
            sqnr.add(exact, logits.astype(np.float64) * scale)
    top = np.concatenate(ranked)
    best = np.concatenate(float_best) if float_best else None
    return Evaluation(
        images=len(labelled),
        top1=float((top[:, 0] == labels).mean()),
        top5=float((top == labels[:, None]).any(1).mean()),
        float_top1=None if best is None else float((best == labels).mean()),
        agreement=None if best is None else float((best == top[:, 0]).mean()),
        logit_sqnr_db=sqnr.decibels,
        images_per_second=len(labelled) / max(seconds, 1e-9),
    )


def rank(logits: Array, count: int) -> Array:
    """Return the `count` likeliest classes of each image, the likeliest first; of equal logits the lower class first."""
    return np.argsort(-logits.astype(np.int64), axis=1, kind="stable")[:, :count]


def _require_shape(exact: Array, logits: Array) -> None:
    if exact.shape != logits.shape:
        raise UsageError(
            "the float model's logits have another shape than the integer model's",
            expected=str(list(logits.shape)),
            found=str(list(exact.shape)),
            hint="give the float model that the integer model was made from",
        )
