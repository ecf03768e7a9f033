"""Integer weights: scales for each output channel, and rounding that makes up for its own errors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.recipe import SEARCHED_BITS

Array = NDArray[Any]
DAMPING = 0.01
"""Share of the mean diagonal that is added to the Gram matrix before it is factored (GPTQ, arXiv 2210.17323, sec. 3.3)."""
FEW_ROWS = 64
"""With fewer rows than this many times the inputs, the Gram matrix is damped more."""
BLOCK = 64
"""How many rows are rounded before their errors are passed on in one product."""
CLIPS = np.linspace(1.0, 0.5, 26)
"""Shares of a channel's largest weight that are tried as the end of its codes, where there are few of them."""


WIDE_BITS = 15
"""The bits of weights in two parts of 8 bits each, which layers that few rows read can have."""
LOW_BITS = 7
"""The bits of such a weight that its low part holds."""


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
    """Round weights one input at a time; each rounding error is made up for by the weights still to come.

    This is GPTQ (arXiv 2210.17323) in the form of Babai's nearest plane (arXiv 2507.18553), which inverts nothing: inputs are
    taken from the largest to the smallest, and with the Gram matrix `L L^T` of the reversed order, row i is shifted by
    `sum_j>i (L_ji / L_ii) error_j` before it is rounded.

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
    order = np.argsort(-spread, kind="stable")[::-1]
    factor = np.linalg.cholesky(gram[np.ix_(order, order)])
    factor /= np.diag(factor)
    exact = (weight / scale)[order]
    errors = np.zeros_like(exact)
    for stop in range(len(exact), 0, -BLOCK):
        _round_block(exact, errors, factor, slice(max(stop - BLOCK, 0), stop), bits)
    codes = np.empty_like(exact)
    codes[order] = np.round(exact - errors)
    return codes, scale


def rounded_weights(weight: Array, inputs: Array, bits: int, compensate: bool) -> tuple[Array, Array]:
    """Round weights float64 [K, C] with or without compensating the errors on the rows `inputs`, float64 [R, K].

    Returns codes and scales, as `compensated_weights` and `round_weights` do.
    """
    return compensated_weights(weight, inputs, bits) if compensate else round_weights(weight, bits)


def in_two_parts(codes: Array) -> Array:
    """Return weights of 15 bits, float64 [K, C], as parts of 8 bits, [2 K, C]: `codes = high 2^7 + low`, high parts first."""
    high = np.minimum(np.floor(codes / (1 << LOW_BITS) + 0.5), largest_code(8))
    return np.concatenate([high, codes - high * (1 << LOW_BITS)])


def _round_block(exact: Array, errors: Array, factor: Array, block: slice, bits: int) -> None:
    """Round a block of rows, last to first, each shifted by the errors of all rows behind it, and note their errors."""
    shifted = exact[block] + factor[block.stop :, block].T @ errors[block.stop :]
    within = factor[block, block]
    for i in reversed(range(len(shifted))):
        error = exact[block.start + i] - _nearest(shifted[i], bits)
        errors[block.start + i] = error
        shifted[:i] += np.outer(within[i, :i], error)


def _nearest(values: Array, bits: int) -> Array:
    codes: Array = np.clip(np.floor(values + 0.5), -largest_code(bits), largest_code(bits))
    return codes
