"""How a site's scale and zero point are chosen from what calibration saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import IntType

Array = NDArray[Any]
HEADROOM = 1.5
"""How much wider than the calibrated range a 16-bit stream is made."""


def stream_scale(low: Array, high: Array, dtype: IntType) -> float:
    """Return the one symmetric scale that covers a stream with headroom."""
    top = max(abs(float(low.min())), abs(float(high.max())), 1e-6)
    return top * HEADROOM / dtype.high


def asymmetric(low: Array, high: Array, dtype: IntType, strength: float, clip: float) -> tuple[Array, Array]:
    """Return per-channel scales and whole zero points that map `[clip low, clip high]` around its centre onto the type.

    Args:
        low: smallest value of each channel [C].
        high: largest value of each channel [C].
        dtype: the 8-bit type.
        strength: 0 gives all channels one scale and one zero point, 1 gives each its own; between, the width is
            `width_c^strength * widest^(1 - strength)`.
        clip: share of the range that is kept.
    """
    if strength == 0:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    width = np.maximum(high - low, 1e-6 * max(float((high - low).max()), 1e-6))
    width = width**strength * width.max() ** (1 - strength)
    steps = dtype.high - dtype.low
    scale = clip * width / steps
    centre = (low + high) / 2
    return scale, np.floor((dtype.low + dtype.high + 1) / 2 - centre / scale + 0.5)


def symmetric(magnitude: Array, groups: Array, dtype: IntType, clip: float) -> Array:
    """Return per-channel scales, equal within a group, that map `clip` times the group's magnitude to the type's top."""
    top = np.zeros(int(groups.max()) + 1)
    np.maximum.at(top, groups, magnitude)
    return np.maximum(top, 1e-9)[groups] * clip / dtype.high


def encode(real: Array, scale: Array, zero_point: Array, dtype: IntType) -> Array:
    """Return codes (float64 holding whole numbers) of real values."""
    return np.clip(np.floor(real / scale + zero_point + 0.5), dtype.low, dtype.high)


def decode(codes: Array, scale: Array, zero_point: Array) -> Array:
    """Return the real values of codes."""
    return (codes - zero_point) * scale
