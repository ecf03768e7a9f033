"""Integer weights: scales for each output channel, and rounding that makes up for its own errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.recipe import SEARCHED_BITS

Array = NDArray[Any]
DAMPING = 0.01
"""Share of the mean diagonal that is added to the Gram matrix before it is inverted (GPTQ, arXiv 2210.17323, sec. 3.3)."""
FEW_ROWS = 64
"""With fewer rows than this many times the inputs, the Gram matrix is damped more."""
CLIPS = np.linspace(1.0, 0.5, 26)
"""Shares of a channel's largest weight that are tried as the end of its codes, where there are few of them."""


def largest_code(bits: int) -> int:
    """Return the largest code of symmetric weights."""
    return (1 << (bits - 1)) - 1


def round_weights(weight: Array, bits: int = 8, importance: Array | None = None) -> tuple[Array, Array]:
    """Round each weight to nearest on its output channel's symmetric scale.

    Args:
        weight: float64 [K, C].
        bits: of a weight.
        importance: as in `channel_scales`.

    Returns:
        Codes as float64 [K, C] in [-largest_code(bits), largest_code(bits)], and scales float64 [C].
    """
    scale = channel_scales(weight, bits, importance)
    return _nearest(weight / scale, bits), scale


def channel_scales(weight: Array, bits: int, importance: Array | None = None) -> Array:
    """Return the scale of every output channel.

    With many codes they reach to its largest magnitude; with few, to the share of it that gives the least squared error.

    Args:
        weight: float64 [K, C].
        bits: of a weight.
        importance: how much the error of each row counts, float64 [K]; the same for all by default.
    """
    top = np.abs(weight).max(0)
    widest = np.where(top > 0, top, 1.0) / largest_code(bits)
    if bits > SEARCHED_BITS:
        return widest
    rows = np.ones(len(weight)) if importance is None else importance
    errors = np.stack([rows @ (weight - _nearest(weight / (widest * c), bits) * (widest * c)) ** 2 for c in CLIPS])
    best: Array = widest * CLIPS[errors.argmin(0)]
    return best


def compensated_weights(weight: Array, inputs: Array, bits: int = 8) -> tuple[Array, Array]:
    """Round weights one input at a time; each rounding error is made up for by the weights still to come (GPTQ).

    Args:
        weight: float64 [K, C].
        inputs: rows that the layer sees, in the units in which `weight` applies, float64 [R, K].
        bits: of a weight.

    Returns:
        Codes as float64 [K, C] and scales float64 [C], as `round_weights` gives them.
    """
    gram = inputs.T @ inputs
    spread = np.diag(gram).copy()
    scale = channel_scales(weight, bits, spread)
    damping = DAMPING * max(1.0, FEW_ROWS * len(weight) / len(inputs))
    gram[np.diag_indices_from(gram)] += damping * float(spread.mean()) + 1e-12
    order = np.argsort(-spread, kind="stable")
    factor = np.linalg.cholesky(np.linalg.inv(gram[np.ix_(order, order)])).T
    rest = (weight / scale)[order]
    codes = np.empty_like(rest)
    for start in range(0, len(rest), 64):
        _round_block(rest, codes, factor, slice(start, min(start + 64, len(rest))), bits)
    result = np.empty_like(codes)
    result[order] = codes
    return result, scale


def rounded_weights(weight: Array, inputs: Array, bits: int, compensate: bool) -> tuple[Array, Array]:
    """Round weights float64 [K, C] with or without compensating the errors on the rows `inputs`, float64 [R, K].

    Returns codes and scales, as `compensated_weights` and `round_weights` do.
    """
    return compensated_weights(weight, inputs, bits) if compensate else round_weights(weight, bits)


def _round_block(rest: Array, codes: Array, factor: Array, block: slice, bits: int) -> None:
    """Round a block of rows of `rest` into `codes` and pass their errors on to all later rows."""
    errors = np.empty((block.stop - block.start, rest.shape[1]))
    for i in range(block.start, block.stop):
        codes[i] = _nearest(rest[i], bits)
        errors[i - block.start] = (rest[i] - codes[i]) / factor[i, i]
        rest[i + 1 : block.stop] -= np.outer(factor[i, i + 1 : block.stop], errors[i - block.start])
    rest[block.stop :] -= factor[block, block.stop :].T @ errors


def _nearest(values: Array, bits: int) -> Array:
    codes: Array = np.clip(np.floor(values + 0.5), -largest_code(bits), largest_code(bits))
    return codes
