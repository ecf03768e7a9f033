"""Fitting the clipped power that stands for erf to the activations that calibration saw."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
BINS = 2048
KNEES = (1.0, 2.8)
"""Between which -b is searched: erf(1) is 0.84, and erf(2.8) is one but for 1e-4."""
_ROUNDS, _POINTS = 6, 41


def fit_erf(u: Array, power: int) -> tuple[float, float]:
    """Return a and b, both negative, for erf(u) ~ sgn(u) (a (min(|u|, -b) + b)^power + 1).

    What is least is the squared error of `u erf(u)`, which is GELU's, over the observed points. That is I-BERT's objective
    (arXiv 2101.01321, sec. 3.4), whose constants it nearly gives back on an even grid. IPTQ-ViT (arXiv 2511.15369, sec. 4.3)
    fits erf itself: there points near zero count, where erf's error does not matter, and GELU gets worse.
    For a given b the best a is linear least squares; b is found on a grid that is made finer around its best point six times.

    Args:
        u: the arguments of erf that were observed, any shape; each counts once, after sorting into 2048 bins of |u|.
        power: 2 or 4.

    Raises:
        ValueError: all points are zero.
    """
    size = np.abs(u.reshape(-1).astype(np.float64))
    if not size.any():
        raise ValueError("erf can't be fitted to zeros alone")
    counts, edges = np.histogram(size, BINS)
    points = (edges[1:] + edges[:-1]) / 2
    rest, weight = np.array([-math.erfc(p) for p in points]), counts * points**2
    low, high = KNEES
    for _ in range(_ROUNDS):
        knees = np.linspace(low, high, _POINTS)
        basis = np.maximum(knees[:, None] - points, 0) ** power
        a = (basis * rest * weight).sum(1) / np.maximum((basis**2 * weight).sum(1), 1e-300)
        error = ((a[:, None] * basis - rest) ** 2 * weight).sum(1)
        best = int(error.argmin())
        low, high = float(knees[max(best - 1, 0)]), float(knees[min(best + 1, _POINTS - 1)])
    return float(a[best]), -float(knees[best])
