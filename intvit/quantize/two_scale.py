"""The two-scale codes of TSPTQ-ViT (arXiv 2305.12901): their layouts and outlier channels are searched on calibration rows.

V-2SF: values after softmax and GELU in codes of which one bit tells the region (`intvit.ops.two_scale`). O-2SF: the few
channels of LayerNorm's input that are much wider than the others get a scale `2^m` times as large.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.ops.two_scale import decode, encode, top_value
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.softmax_search import select_layouts

Array = NDArray[Any]
SEARCH_ROWS = 1024
"""How many sample rows judge the layouts of GELU and the outlier channels."""
MARGINS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The shares of the calibrated range that the largest code may stand for."""
OUTLIER_MARGINS = (0.6, 0.7, 0.8, 0.9, 1.0)
"""The same for the scales of channels."""
OUTLIER_SHIFTS = (1, 2, 3, 4, 5)
"""log2 of the ratio of the scales of channels."""
OUTLIER_COUNTS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""How many channels may be outliers."""


@dataclass(frozen=True)
class TwoScale:
    """Two-scale codes of real values: `real = scale * (value of the code - zero_point)`.

    Attributes:
        bits: of a code, the region bit included.
        coarse_shift: log2 of the coarse scale over the fine one.
        scale: of the fine region.
        zero_point: the value of real zero.
    """

    bits: int
    coarse_shift: int
    scale: float
    zero_point: int = 0

    @property
    def top(self) -> int:
        """The largest value of a code."""
        return top_value(self.bits, self.coarse_shift)

    def values(self, real: Array) -> Array:
        """Return the values of the codes that real numbers get, float64 holding whole numbers."""
        v = np.floor(real / self.scale + self.zero_point + 0.5).astype(np.int64)
        return decode(encode(v, self.bits, self.coarse_shift), self.bits, self.coarse_shift).astype(np.float64)

    def rounded(self, real: Array) -> Array:
        """Return real numbers as their codes tell them."""
        return (self.values(real) - self.zero_point) * self.scale


@dataclass(frozen=True)
class OutlierScales:
    """Two scales for the channels of a tensor: `scale`, and `scale 2^shift` for outliers (O-2SF).

    Attributes:
        scale: of most channels.
        shift: log2 of the ratio of the two scales.
        outlier: which channels have the larger one, bool [C].
    """

    scale: float
    shift: int
    outlier: Array

    @property
    def shifts(self) -> Array:
        """How far the codes of each channel are shifted to be aligned, int64 [C]."""
        return self.outlier.astype(np.int64) * self.shift

    def rounded(self, real: Array, bits: int) -> Array:
        """Return real rows [R, C] as signed codes of some bits tell them."""
        scales, half = self.scale * 2.0**self.shifts, 1 << (bits - 1)
        return np.clip(np.floor(real / scales + 0.5), -half, half - 1) * scales


def exponentials(coarse_shift: int, bits: int, ratio: Array) -> Array:
    """Return `exp(x - rowmax)`, in (0, 1], as the values of two-scale codes whose largest stands for 1."""
    return TwoScale(bits, coarse_shift, 1 / top_value(bits, coarse_shift)).values(ratio)


def select_coarse_shifts(
    graph: FloatGraph, model: CanonicalModel, pixels: list[Array], normalize: Callable[[Array], Array], bits: int
) -> dict[str, int]:
    """Return the coarse shift of every softmax that a product with values reads, by the smallest error of that product.

    With a coarse shift of 1 the codes would be worse than uniform ones everywhere.

    Args:
        graph: the canonical float graph.
        model: the same, to be run.
        pixels: the calibration images, uint8 [H, W, 3].
        normalize: uint8 [N, H, W, 3] to the model's input.
        bits: of the codes.
    """
    layouts = range(2, bits)
    return select_layouts(graph, model, pixels, normalize, layouts, lambda shift, ratio: exponentials(shift, bits, ratio))


def select_two_scale(samples: Array, weight: Array, low: float, high: float, bits: int, limit: int) -> TwoScale:
    """Return the codes of a linear layer's input by the smallest error of the layer's output.

    Args:
        samples: rows of the input [R, K].
        weight: of the layer [K, C].
        low: the smallest value that calibration saw; below zero a zero point is used.
        high: the largest.
        bits: of the codes.
        limit: how large the values of codes may be, so that the layer's accumulator can't overflow.
    """
    rows = _some(samples, SEARCH_ROWS)
    wanted = rows @ weight
    layouts = _layouts(min(low, 0.0), max(high, 1e-6), bits)

    def error(codes: TwoScale) -> float:
        return float(((codes.rounded(rows) @ weight - wanted) ** 2).sum())

    return min((codes for codes in layouts if codes.top <= limit), key=error)


def _layouts(low: float, high: float, bits: int) -> Iterator[TwoScale]:
    for coarse_shift in range(1, bits):
        for margin in MARGINS:
            scale = (margin * high - low) / top_value(bits, coarse_shift)
            yield TwoScale(bits, coarse_shift, scale, math.floor(-low / scale + 0.5))


def select_outliers(samples: Array, magnitude: Array, gamma: Array, bits: int) -> OutlierScales:
    """Return the two scales of a LayerNorm's input by the smallest error of its output.

    Args:
        samples: rows of the input [R, C].
        magnitude: the largest magnitude of each channel [C].
        gamma: LayerNorm's factors [C].
        bits: of the signed codes.
    """
    rows = _some(samples, SEARCH_ROWS)
    wanted = _normalized(rows) * gamma

    def error(scales: OutlierScales) -> float:
        return float(((_normalized(scales.rounded(rows, bits)) * gamma - wanted) ** 2).sum())

    return min(_outlier_scales(np.maximum(magnitude, 1e-9), (1 << (bits - 1)) - 1), key=error)


def select_output_outliers(samples: Array, low: Array, high: Array, weight: Array, bits: int) -> OutlierScales:
    """Return the two scales of a LayerNorm's output by the smallest error of the linear layers that read it.

    Args:
        samples: rows of the output [R, C].
        low: the smallest value of each channel [C].
        high: the largest.
        weight: of the layers, side by side [C, D].
        bits: of the unsigned codes, in whose middle is the middle of each channel's range.
    """
    rows = _some(samples, SEARCH_ROWS // 4) - (low + high) / 2
    factor = np.asarray(np.linalg.qr(weight.T, mode="r")).T

    def error(scales: OutlierScales) -> float:
        return float((((scales.rounded(rows, bits) - rows) @ factor) ** 2).sum())

    return min(_outlier_scales(np.maximum(high - low, 1e-9), (1 << bits) - 1), key=error)


def _some(samples: Array, count: int) -> Array:
    """Return about so many of some rows as float64, evenly spread."""
    return samples[:: max(1, len(samples) // count)].astype(np.float64)


def _outlier_scales(width: Array, steps: int) -> Iterator[OutlierScales]:
    """Return pairs of scales: `steps` of the smaller cover the widths [C] of all but a few channels, or a share of them."""
    falling = np.sort(width)[::-1]
    for shift, count, margin in product(OUTLIER_SHIFTS, OUTLIER_COUNTS, OUTLIER_MARGINS):
        scale = margin * max(falling[min(count, len(width) - 1)], falling[0] / (1 << shift)) / steps
        yield OutlierScales(float(scale), shift, width > scale * steps / margin * (1 + 1e-9))


def _normalized(rows: Array) -> Array:
    centred = rows - rows.mean(-1, keepdims=True)
    result: Array = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return result
