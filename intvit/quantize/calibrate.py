"""Calibration: run the float model on images in ONNX Runtime and keep ranges and sample rows of every site."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from intvit.errors import UnsupportedModelError
from intvit.importer import CanonicalModel
from intvit.quantize.sites import Site

Array = NDArray[Any]
Progress = Callable[[int, int], None]
SAMPLE_ROWS = 2048
BATCH = 4
MOMENTUM = 0.95
"""Share of the earlier batches in a moving average (I-ViT's code, quant_modules.QuantAct)."""


@dataclass
class Statistics:
    """What calibration saw of one site.

    Attributes:
        low: smallest value of each channel, float64 [channels].
        high: largest value of each channel.
        samples: rows of all channels, float32 [rows, channels].
        usual_low, usual_high: moving averages of what `low` and `high` are for batches (I-ViT, arXiv 2207.01405).
        image_low, image_high: smallest and largest value of each channel in each image, float32 [images, channels].
    """

    low: Array
    high: Array
    samples: Array
    usual_low: Array
    usual_high: Array
    image_low: Array
    image_high: Array
    _parts: list[Array] = field(default_factory=list, repr=False)

    def ranges(self, deviations: float = 0.0, without: Sequence[int] | Array = ()) -> tuple[Array, Array]:
        """Return the smallest and the largest value that each channel is taken to have, float64 [channels].

        Args:
            deviations: how many standard deviations of the samples the ranges reach from the mean at least.
            without: the numbers of images that don't count.
        """
        low, high, samples = self.low, self.high, self.samples
        if len(without):
            low, high = (np.delete(by_image, without, 0) for by_image in (self.image_low, self.image_high))
            low, high = low.min(0).astype(np.float64), high.max(0).astype(np.float64)
            by_image = samples.reshape(len(self.image_low), -1, samples.shape[-1])
            samples = np.delete(by_image, without, 0).reshape(-1, samples.shape[-1])
        if deviations:
            mean, reach = samples.mean(0, np.float64), deviations * samples.std(0, np.float64)
            low, high = np.minimum(low, mean - reach), np.maximum(high, mean + reach)
        return low, high

    def symmetric(self) -> Statistics:
        """Return statistics of the same rows whose channels all have one usual range, with zero in its middle."""
        top = np.full_like(self.high, max(float(self.usual_high.max()), -float(self.usual_low.min())))
        return replace(self, low=-top, high=top, usual_low=-top, usual_high=top)


def calibrate(
    model: CanonicalModel,
    sites: dict[str, Site],
    pixels: Sequence[Array],
    normalize: Callable[[Array], Array],
    progress: Progress | None = None,
) -> dict[str, Statistics]:
    """Run the float model on images and return the statistics of every site.

    Args:
        model: the canonical float model.
        sites: what to observe, by value name.
        pixels: uint8 [H, W, 3] images at the model's size.
        normalize: uint8 [N, H, W, 3] to the model's float32 input [N, 3, H, W].
        progress: called with (images done, images in all).

    Returns:
        Statistics by value name; the same images in the same order give the same statistics.

    Raises:
        UnsupportedModelError: the float model gives NaN or infinity at a site.
    """
    observed = sorted({site.value for site in sites.values()} | {site.stream for site in sites.values()})
    session = float_session(model, observed)
    rng = np.random.default_rng(0)
    rows_per_image = -(-SAMPLE_ROWS // len(pixels))
    result: dict[str, Statistics] = {}
    for start in range(0, len(pixels), BATCH):
        batch = np.stack(pixels[start : start + BATCH])
        values = dict(zip(observed, session.run(observed, {session.get_inputs()[0].name: normalize(batch)}), strict=True))
        for site in sites.values():
            _observe(result, site, values, len(batch), rows_per_image, rng)
        if progress:
            progress(start + len(batch), len(pixels))
    for statistics in result.values():
        statistics.samples = np.concatenate(statistics._parts)
        statistics._parts.clear()
    return result


def float_session(model: CanonicalModel, outputs: Sequence[str] = ()) -> Any:
    """Return an ONNX Runtime session on the canonical float model, with more values as outputs."""
    proto = model.to_proto()
    present = {value.name for value in proto.graph.output}
    for name in outputs:
        if name not in present:
            proto.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    return open_session(proto)


def open_session(proto: onnx.ModelProto) -> Any:
    """Return an ONNX Runtime session on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _observe(
    result: dict[str, Statistics],
    site: Site,
    values: dict[str, Array],
    images: int,
    rows_per_image: int,
    rng: np.random.Generator,
) -> None:
    rows = _rows(site, values[site.value], images)
    if not np.isfinite(rows).all():
        raise UnsupportedModelError(
            "the float model gives NaN or infinity here",
            where=site.value,
            expected="finite values on the calibration images",
            hint="check that --preprocess fits the model, and that the float model works in ONNX Runtime",
        )
    image_low, image_high = rows.min(1), rows.max(1)
    if site.stream != site.value:
        whole = values[site.stream]
        image_low, image_high = np.full_like(image_low, whole.min()), np.full_like(image_high, whole.max())
    low, high = image_low.min(0).astype(np.float64), image_high.max(0).astype(np.float64)
    none = np.zeros((0, rows.shape[-1]), np.float32)
    statistics = result.setdefault(site.value, Statistics(low, high, none, low, high, none, none))
    statistics.image_low = np.concatenate([statistics.image_low, image_low])
    statistics.image_high = np.concatenate([statistics.image_high, image_high])
    statistics.low, statistics.high = np.minimum(statistics.low, low), np.maximum(statistics.high, high)
    statistics.usual_low = MOMENTUM * statistics.usual_low + (1 - MOMENTUM) * low
    statistics.usual_high = MOMENTUM * statistics.usual_high + (1 - MOMENTUM) * high
    for image in rows:
        chosen = rng.permutation(len(image))[:rows_per_image]
        statistics._parts.append(image[np.sort(chosen)].astype(np.float32))


def _rows(site: Site, value: Array, images: int) -> Array:
    """Return a value as [images, rows that are used, channels]."""
    axis, shape = site.batch_axis, site.shape
    split = value.reshape(*shape[:axis], images, *shape[axis:])
    return site.by_row(np.moveaxis(split, axis, 0))[:, site.rows]
