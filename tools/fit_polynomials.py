"""Fit the polynomials of GELU and softmax and print their integer coefficients and errors.

    python tools/fit_polynomials.py

Where `intvit/ops/gelu_polynomial.py` and `intvit/ops/softmax_polynomial.py` have their constants from: minimax fits by
iteratively reweighted least squares.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ops.gelu import TAIL
from intvit.ops.gelu_polynomial import COEFFICIENT_BITS
from intvit.ops.softmax_exp import TOP
from intvit.ops.softmax_polynomial import VALUE_BITS

Array = NDArray[Any]


def minimax(basis: Array, target: Array, unit: Array, rounds: int = 200, power: float = 0.3) -> Array:
    """Return coefficients that make the largest `|basis @ c - target| / unit` small."""
    weight = 1 / unit**2
    coefficients = np.zeros(basis.shape[1])
    for _ in range(rounds):
        root = np.sqrt(weight)
        coefficients = np.linalg.lstsq(basis * root[:, None], target * root, rcond=None)[0]
        error = np.abs(basis @ coefficients - target) / unit
        weight *= (error / error.max() + 1e-3) ** power
        weight /= weight.max()
    return coefficients


def fit_gelu() -> None:
    """Fit `t Phi(-t) = t w^4 q(w)`, `w = 1 - t/4`, and print q times 4 (u = t/4) in fixed point."""
    t = np.linspace(0, 2 * TAIL, 16001)
    bump = t * 0.5 * np.array([math.erfc(x / math.sqrt(2)) for x in t])
    w = np.clip(1 - t / TAIL, 0, None)
    basis = np.stack([t * w ** (4 + i) for i in range(4)], 1)
    q = minimax(basis, bump, np.ones_like(t))
    codes = [round(float(c) * TAIL * (1 << COEFFICIENT_BITS)) for c in q]
    print(f"GELU bump, degree 8: {codes}, largest error {np.abs(basis @ q - bump).max():.2e}")


def fit_exponential(degree: int) -> None:
    """Fit 2^-f on [0, 1], exact at both ends, and print it in fixed point."""
    f = np.linspace(0, 1, 1 << 15)
    exact, line = 2.0**-f, 1 - f / 2
    basis = np.stack([f * (1 - f) * f**i for i in range(degree - 1)], 1)
    c = minimax(basis, exact - line, exact, rounds=300, power=0.2)
    powers = np.zeros(degree + 1)
    powers[:2] = 1, -0.5
    powers[1:-1] += c
    powers[2:] -= c
    error = np.abs((basis @ c + line - exact) / exact).max()
    print(f"2^-f, degree {degree}: {[round(float(p) * (TOP << VALUE_BITS)) for p in powers]}, relative error {error:.2e}")


if __name__ == "__main__":
    fit_gelu()
    fit_exponential(2)
    fit_exponential(3)
