"""Integer weights: scales for each output channel, and rounding that makes up for its own errors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from intvit.quantize.recipe import SEARCHED_BITS

Array = NDArray[Any]
DAMPING = 0.01
"""Share of the mean diagonal that is added to the Gram matrix before it is factored (GPTQ, arXiv 2210.17323, sec. 3.3)."""
FEW_ROWS = 64
"""With fewer rows than this many times the inputs, the Gram matrix is damped more."""
BLOCK = 64
"""How many rows and columns are rounded before their errors are passed on in one product."""
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


def compensated_weights(weight: Array, inputs: Array, bits: int = 8, outputs: Array | None = None) -> tuple[Array, Array]:
    """Round weights one by one; each rounding error is made up for by the weights still to come.

    This is GPTQ (arXiv 2210.17323) in the form of Babai's nearest plane (arXiv 2507.18553), which inverts nothing: inputs are
    taken from the largest to the smallest, and with the Gram matrix `L L^T` of the reversed order, row i is shifted by
    `sum_j>i (L_ji / L_ii) error_j` before it is rounded. With `outputs` errors are made up for by other outputs, too, in the
    same way along each row, so that `trace(error^T inputs^T inputs error outputs)` is small (YAQA, arXiv 2505.22988).

    Args:
        weight: float64 [K, C].
        inputs: rows that the layer sees, in the units in which `weight` applies, float64 [R, K].
        bits: of a weight.
        outputs: how much the products of errors of two outputs count, float64 [C, C], positive definite; only squares
            count, all the same, by default.

    Returns:
        Codes as float64 [K, C] and scales float64 [C], as `round_weights` gives them.
    """
    gram = inputs.T @ inputs
    spread = np.diag(gram).copy()
    scale = channel_scales(weight, bits, spread)
    damping = DAMPING * max(1.0, FEW_ROWS * len(weight) / len(inputs))
    gram[np.diag_indices_from(gram)] += damping * float(spread.mean()) + 1e-12
    rows, along_rows = _ordered_factor(gram)
    columns, along_columns = _ordered_factor(np.eye(len(scale)) if outputs is None else outputs * np.outer(scale, scale))
    exact = (weight / scale)[np.ix_(rows, columns)]
    errors = _rounding_errors(exact, along_rows, along_columns, largest_code(bits))
    codes = np.empty_like(exact)
    codes[np.ix_(rows, columns)] = np.round(exact - errors)
    return codes, scale


def rounded_weights(
    weight: Array, inputs: Array, bits: int, compensate: bool, outputs: Array | None = None
) -> tuple[Array, Array]:
    """Round weights float64 [K, C] by `compensated_weights` if the errors are to be compensated, else by `round_weights`."""
    return compensated_weights(weight, inputs, bits, outputs) if compensate else round_weights(weight, bits)


def _ordered_factor(matrix: Array) -> tuple[Array, Array]:
    """Return indices that order the diagonal, the largest last, and the unit lower factor of the matrix in that order."""
    order = np.argsort(-np.diag(matrix), kind="stable")[::-1]
    factor = np.linalg.cholesky(matrix[np.ix_(order, order)])
    return order, factor / np.diag(factor)


def _rounding_errors(exact: Array, rows: Array, columns: Array, top: int) -> Array:
    """Round numbers to codes, last to first, each shifted by the errors of all behind it; return the errors.

    With the unit lower factors R and S of rows and columns the shift of a number is its part of `R^T errors S`, without its own
    error. Tiles are rounded one by one; what all others do to one is two products of matrices.

    Args:
        exact: float64 [K, C].
        rows, columns: the factors, float64 [K, K] and [C, C].
        top: the largest code.
    """
    errors = np.zeros_like(exact)
    carried = np.zeros_like(exact)
    for r in _blocks(len(exact)):
        below = rows[r.stop :, r].T @ errors[r.stop :]
        for c in _blocks(exact.shape[1]):
            beside = carried[r, c.stop :] @ columns[c.stop :, c]
            _round_tile(exact[r, c], below[:, c], beside, rows[r, r], columns[c, c], top, errors[r, c], carried[r, c])
    return errors


def _blocks(length: int) -> Iterator[slice]:
    """Yield parts of a range, last to first."""
    return (slice(max(stop - BLOCK, 0), stop) for stop in range(length, 0, -BLOCK))


@numba.njit()
def _round_tile(
    exact: Array, below: Array, beside: Array, rows: Array, columns: Array, top: int, errors: Array, carried: Array
) -> None:
    """Round a tile; set its errors, and `R^T errors`, which further tiles need.

    Args:
        exact: float64 [k, c], as all but the factors.
        below: what later rows of `errors` add to `R^T errors` here.
        beside: how far later columns shift these numbers.
        rows, columns: the tile's parts of both factors, [k, k] and [c, c].
        top: the largest code.
        errors, carried: the results.
    """
    for i in range(len(exact) - 1, -1, -1):
        for k in range(i + 1, len(exact)):
            for j in range(exact.shape[1]):
                below[i, j] += rows[k, i] * errors[k, j]
        for j in range(exact.shape[1] - 1, -1, -1):
            code = math.floor(exact[i, j] + below[i, j] + beside[i, j] + 0.5)
            errors[i, j] = exact[i, j] - min(max(code, -top), top)
            carried[i, j] = below[i, j] + errors[i, j]
            for m in range(j):
                beside[i, m] += carried[i, j] * columns[j, m]


def _nearest(values: Array, bits: int) -> Array:
    codes: Array = np.clip(np.floor(values + 0.5), -largest_code(bits), largest_code(bits))
    return codes
