"""Integer weights: per-output-channel scales, rounding that compensates its own errors, and bias correction."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S8

Array = NDArray[Any]
DAMPING = 0.01
"""Share of the mean diagonal that is added to the Gram matrix before it is inverted (GPTQ, arXiv 2210.17323, sec. 3.3)."""


def round_weights(weight: Array) -> tuple[Array, Array]:
    """Round each weight to nearest on its output channel's symmetric scale.

    Args:
        weight: float64 [K, C].

    Returns:
        Codes as float64 [K, C] in [-127, 127], and scales float64 [C].
    """
    scale = channel_scales(weight)
    return np.clip(np.floor(weight / scale + 0.5), -S8.high, S8.high), scale


def channel_scales(weight: Array) -> Array:
    """Return the scale of every output channel: its largest magnitude over 127."""
    top = np.abs(weight).max(0)
    return np.where(top > 0, top, 1.0) / S8.high


def compensated_weights(weight: Array, inputs: Array) -> tuple[Array, Array]:
    """Round weights one input at a time; each rounding error is made up for by the weights still to come (GPTQ).

    Args:
        weight: float64 [K, C].
        inputs: rows that the layer sees, in the units in which `weight` applies, float64 [R, K].

    Returns:
        Codes as float64 [K, C] and scales float64 [C], as `round_weights` gives them.
    """
    scale = channel_scales(weight)
    gram = inputs.T @ inputs
    spread = np.diag(gram).copy()
    gram[np.diag_indices_from(gram)] += DAMPING * float(spread.mean()) + 1e-12
    order = np.argsort(-spread, kind="stable")
    factor = np.linalg.cholesky(np.linalg.inv(gram[np.ix_(order, order)])).T
    rest = (weight / scale)[order]
    codes = np.empty_like(rest)
    for start in range(0, len(rest), 64):
        _round_block(rest, codes, factor, start, min(start + 64, len(rest)))
    result = np.empty_like(codes)
    result[order] = codes
    return result, scale


def _round_block(rest: Array, codes: Array, factor: Array, start: int, end: int) -> None:
    """Round rows `start` to `end` of `rest` into `codes` and pass their errors on to all later rows."""
    errors = np.empty((end - start, rest.shape[1]))
    for i in range(start, end):
        codes[i] = np.clip(np.floor(rest[i] + 0.5), -S8.high, S8.high)
        errors[i - start] = (rest[i] - codes[i]) / factor[i, i]
        rest[i + 1 : end] -= np.outer(factor[i, i + 1 : end], errors[i - start])
    rest[end:] -= factor[start:end, end:].T @ errors
