"""The real functions that operators approximate, the inputs that are tried, and how they are put to an operator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Setting:
    """The inputs of one sweep: all codes from `low` to `high`.

    Attributes:
        title: what is set, for people.
        step: the real value of one code.
        low: the first code.
        high: the last code.
        top: the code of the row's maximum, for functions of a row; None where every element stands alone.
        channels: the length of a row, for LayerNorm.
        epsilon: LayerNorm's epsilon, at the scale of channels^2 times the variance.
    """

    title: str
    step: float
    low: int
    high: int
    top: int | None = None
    channels: int = 1
    epsilon: int = 1


@dataclass(frozen=True)
class Family:
    """A real function, and how it is asked of an operator.

    Attributes:
        name: what its plot's file is named after.
        title: the function's name for people.
        text: what is measured, in Markdown.
        axis: what x is.
        x: from codes to the real numbers on that axis.
        exact: from codes to what the function gives for them.
        rows: from codes to the rows that the operator gets, int [codes, row length].
        pick: from the operator's real outputs, [codes, row length], to one value a code.
        sample: a row of usual length, int [1, row length], to count operations on.
        window: errors where x is at most this far from 0 go into the root mean square, and into the plot.
        logarithmic: whether the plot has logarithmic axes.
    """

    name: str
    title: str
    text: str
    axis: str
    x: Callable[[Array, Setting], Array]
    exact: Callable[[Array, Setting], Array]
    rows: Callable[[Array, Setting], Array]
    pick: Callable[[Array], Array]
    sample: Callable[[Setting], Array]
    window: float
    logarithmic: bool = False


def _scaled(codes: Array, setting: Setting) -> Array:
    return codes * setting.step


# GELU


def gelu(codes: Array, setting: Setting) -> Array:
    """Return `x Phi(x)`."""
    return np.array([0.5 * x * math.erfc(-x * math.sqrt(0.5)) for x in (codes * setting.step).tolist()])


def gelu_rows(codes: Array, setting: Setting) -> Array:
    """Return every code in a row of its own, int16, beside the row's maximum if there is one."""
    columns = [codes] if setting.top is None else [codes, np.full_like(codes, setting.top)]
    return np.stack(columns, 1).astype(np.int16)


def fraction_bits(bits: int) -> Setting:
    """Return the sweep over all s16 codes with that many fraction bits."""
    return Setting(f"{bits} fraction bits", 2.0**-bits, -(1 << 15), (1 << 15) - 1)


def codes_within(bits: int, reach: float) -> Setting:
    """Return the sweep over all signed codes of 8 or 16 bits, the largest of which stands for `reach`."""
    high = (1 << (bits - 1)) - 1
    return Setting(f"{bits}-bit codes within ±{reach:g}", reach / high, -high - 1, high)


def with_maximum(setting: Setting, maximum: float) -> Setting:
    """Return the sweep over the codes up to a row's maximum, for operators whose answer depends on it."""
    top = round(maximum / setting.step)
    return replace(setting, title=f"{setting.title}, row maximum {maximum:g}", high=top, top=top)


GELU = Family(
    "gelu",
    "GELU",
    "`x Phi(x)` for every s16 code, before the requantization that the operator ends in.",
    "x",
    _scaled,
    gelu,
    gelu_rows,
    lambda values: values[:, 0],
    lambda setting: np.linspace(setting.low, setting.high, 768)[None].astype(np.int16),
    window=6.0,
)
CODES_SWEPT = (*(codes_within(8, reach) for reach in (5, 10, 20)), *(codes_within(16, reach) for reach in (10, 40)))
MAXIMA_SWEPT = tuple(with_maximum(codes_within(8, maximum), maximum) for maximum in (3, 6, 9, 9.5, 12, 20))
FRACTION_BITS_SWEPT = tuple(fraction_bits(bits) for bits in range(14))


# Softmax


PLACES = 8
"""At how many neighbouring places a score is tried: after so many, thresholds of rounding repeat."""


def distance_rows(codes: Array, setting: Setting) -> Array:
    """Return rows of the maximum and, at `PLACES` places, the score that lies so far below it, int32."""
    top = setting.top or 0
    return np.stack([np.full_like(codes, top), *[top - codes] * PLACES], 1).astype(np.int32)


def scores(bits: int, reach: float) -> Setting:
    """Return the sweep over all distances between two scores of that many bits, symmetric about zero."""
    high = (1 << (bits - 1)) - 1
    return Setting(f"{bits}-bit scores within ±{reach:g}", reach / high, 0, 2 * high, high)


def fine_scores(bits: int, reach: float) -> Setting:
    """Return the sweep over all distances up to `reach`, of 32-bit scores with that many fraction bits."""
    return Setting(f"32-bit scores, {bits} fraction bits", 2.0**-bits, 0, round(reach * (1 << bits)), 0)


SOFTMAX = Family(
    "softmax",
    "The exponential in softmax",
    "`exp(x - max)` for every distance between a score and its row's maximum, as the ratio of their results in a row of the\n"
    f"maximum and {PLACES} such scores. Where results are codes of 8 bits, half a code is 0.002; `SoftmaxPolynomial` rounds\n"
    "neighbours with different thresholds, so that one may be almost a code off, but many keep their sum.",
    "distance to the row's maximum",
    lambda codes, setting: np.repeat(_scaled(codes, setting), PLACES),
    lambda codes, setting: np.repeat(np.exp(-codes * setting.step), PLACES),
    distance_rows,
    lambda values: (values[:, 1:] / values[:, :1]).reshape(-1),
    lambda setting: np.linspace(-setting.high, 0, 197)[None].astype(np.int32),
    window=8.0,
)
FINE = fine_scores(16, 24.0)
SCORES_SWEPT = (*(scores(8, reach) for reach in (5, 10, 20, 40)), *(scores(16, reach) for reach in (10, 40)), FINE)


# LayerNorm


def outlier_rows(codes: Array, setting: Setting) -> Array:
    """Return rows of zeros but for their first channel, which has the code, int16."""
    rows = np.zeros((len(codes), setting.channels), np.int16)
    rows[:, 0] = codes
    return rows


def outlier_normalized(codes: Array, setting: Setting) -> Array:
    """Return the normalized value of such a row's first channel."""
    others = setting.channels - 1
    x = codes.astype(np.float64)
    return np.asarray(others * x / np.sqrt(np.maximum(others * x * x + setting.epsilon, 1e-300)))


def channels(count: int, epsilon: int = 1) -> Setting:
    """Return the sweep over all s16 codes in one of that many channels."""
    return Setting(f"{count} channels", 1.0, -(1 << 15), (1 << 15) - 1, channels=count, epsilon=epsilon)


LAYER_NORM = Family(
    "layer_norm",
    "The reciprocal square root in LayerNorm",
    "`(x - mean) / sqrt(variance + epsilon)` of one channel that has every s16 code in turn while the others are zero: the\n"
    "variance takes 32768 values over 30 octaves for each number of channels.",
    "code of the channel",
    _scaled,
    outlier_normalized,
    outlier_rows,
    lambda values: values[:, 0],
    lambda setting: np.linspace(setting.low, setting.high, setting.channels)[None].astype(np.int16),
    window=32768.0,
    logarithmic=True,
)
CHANNELS_SWEPT = tuple(channels(count) for count in (2, 48, 192, 384, 768, 1024))
NEWTON_SWEPT = tuple(replace(setting, epsilon=0) for setting in CHANNELS_SWEPT)
