"""How a site's scale and zero point are chosen from what calibration saw."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import Interval, IntType
from intvit.quantize.recipe import Spread

Array = NDArray[Any]
HEADROOM = 1.5
"""How much wider than the calibrated range a 16-bit stream is made."""
NARROWEST = 1 / 16
"""The least width of the ranges over their largest magnitude: zero points of what hardly varies must stay small."""


def unsigned_codes(bits: int) -> Interval:
    """Return all codes of unsigned activations."""
    return Interval(0, (1 << bits) - 1)


def signed_codes(bits: int) -> Interval:
    """Return all codes of signed activations."""
    return Interval(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def stream_scale(low: Array, high: Array, dtype: IntType) -> float:
    """Return the one symmetric scale that covers a stream with headroom."""
    top = max(abs(float(low.min())), abs(float(high.max())), 1e-6)
    return top * HEADROOM / dtype.high


def asymmetric(low: Array, high: Array, spread: Spread, codes: Interval) -> tuple[Array, Array]:
    """Return scales and whole zero points that put the middle of every channel's range at the middle of the codes.

    Args:
        low: smallest value of each channel [C].
        high: largest value of each channel [C].
        spread: how the scales follow the ranges.
        codes: from 0 to an odd number.

    Returns:
        Scales and zero points, float64 [C].
    """
    if spread.strength == 0:
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    least = NARROWEST * float(np.maximum(-low, high).max())
    width = high - low if (high - low).max() > least else np.full_like(low, least)
    scale = spread_scales(width, spread) / codes.high
    middle = (codes.high + 1) // 2
    return scale, np.floor(middle - (low + high) / 2 / scale + 0.5)


def from_common_low(low: Array, high: Array, spread: Spread, codes: Interval) -> tuple[Array, Array]:
    """Return scales and the one zero point for channels that share a lowest value, as GELU's outputs do.

    Args:
        low: smallest value of each channel [C]; the smallest of all counts.
        high: largest value of each channel [C].
        spread: how the scales follow the ranges.
        codes: from 0 on.

    Returns:
        Scales and zero points (all equal), float64 [C].
    """
    bottom = min(float(low.min()), 0.0)
    scale = spread_scales(np.maximum(high, 0.0) - bottom, spread) / codes.high
    zero_point = min(float(np.floor(-bottom / scale.min() + 0.5)), float(codes.high // 2))
    return scale, np.full_like(scale, zero_point)


def spread_scales(width: Array, spread: Spread) -> Array:
    """Return `margin * width^strength * widest^(1 - strength)`, never zero."""
    widest = max(float(width.max()), 1e-6)
    width = np.maximum(width, 1e-6 * widest)
    scales: Array = spread.margin * width**spread.strength * widest ** (1 - spread.strength)
    return scales


def tied_magnitudes(magnitude: Array, groups: Array) -> Array:
    """Return, for every channel, the largest magnitude in its group."""
    top = np.zeros(int(groups.max()) + 1)
    np.maximum.at(top, groups, magnitude)
    return np.maximum(top, 1e-9)[groups]


def encode(real: Array, scale: Array, zero_point: Array, codes: Interval) -> Array:
    """Return codes (floats that hold whole numbers) of real values."""
    result: Array = real / scale
    result += zero_point
    result += 0.5
    return np.clip(np.floor(result, out=result), codes.low, codes.high, out=result)


def decode(codes: Array, scale: Array, zero_point: Array) -> Array:
    """Return the real values of codes."""
    return (codes - zero_point) * scale
