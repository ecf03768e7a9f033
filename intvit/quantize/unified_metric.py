"""The unified metric of IPTQ-ViT (arXiv 2511.15369, eq. 16, 18): one number for the quality and cost of an approximation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
OPERATIONS: Mapping[str, Mapping[str, int]] = {
    "Gelu": {"table": 12, "i-bert": 14, "quartic": 15, "quartic-fitted": 15, "shift": 27, "polynomial": 29},
    "Softmax": {"table": 8, "octave": 13, "shiftmax": 18, "i-bert": 18, "polynomial": 24, "bit": 25},
}
"""Integer operations an element of every candidate, as `tools/operation_counts.py` counts them, to the next whole number.

A look-up and a division count as one. The requantization of GELU is included, that of scores and the division that `table` and
`polynomial` leave to the product with the values are not.
"""
COST_WEIGHT = 0.01
"""How much of C an operation is, in operations of the cheapest candidate: docs/recipe.md tells why so little."""
MAX_SQNR_DB = 200.0
"""The signal-to-noise ratio of an approximation without any error."""


@dataclass(frozen=True)
class Candidate:
    """What the metric says of one approximation at one node.

    Attributes:
        family: its name in recipes.
        sqnr_db: Q, the signal-to-noise ratio in dB.
        perturbation: P, the mean squared error.
        operations: integer operations an element.
        omega: the metric; more is better.
    """

    family: str
    sqnr_db: float
    perturbation: float
    operations: int
    omega: float

    def to_json(self) -> dict[str, str]:
        """Return the figures as text of six digits."""
        figures = {"sqnr_db": self.sqnr_db, "perturbation": self.perturbation, "omega": self.omega}
        return {name: f"{value:.6g}" for name, value in figures.items()} | {"operations": str(self.operations)}


@dataclass(frozen=True)
class FamilyChoice:
    """The candidates of a node, in the order in which they were judged.

    Attributes:
        op: `Gelu` or `Softmax`.
        candidates: at least one.
    """

    op: str
    candidates: tuple[Candidate, ...]

    @property
    def family(self) -> str:
        """The family with the largest metric, the first of equals."""
        return max(self.candidates, key=lambda candidate: candidate.omega).family

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON-ready values, numbers as text."""
        return {"op": self.op, "family": self.family, "candidates": {c.family: c.to_json() for c in self.candidates}}


def judge(op: str, family: str, exact: Array, approximate: Array) -> Candidate:
    """Return what the metric says of an approximation.

    Args:
        op: the function that is approximated, a key of `OPERATIONS`.
        family: the approximation.
        exact: the function's real values, of any shape.
        approximate: the approximation's, of the same shape.
    """
    operations = OPERATIONS[op][family]
    sqnr_db, perturbation = sqnr(exact, approximate), float(((exact - approximate) ** 2).mean())
    return Candidate(family, sqnr_db, perturbation, operations, omega(sqnr_db, perturbation, relative_cost(op, family)))


def omega(sqnr_db: float, perturbation: float, cost: float) -> float:
    """Return `3 / (N(Q)^-1 + N(P) + N(C))` with N = softplus; between 0 and 3."""
    return 3 / (1 / softplus(sqnr_db) + softplus(perturbation) + softplus(cost))


def softplus(t: float) -> float:
    """Return `ln(1 + e^t)`, which is positive (at least 1e-300)."""
    return max(t, 0.0) + max(math.log1p(math.exp(-abs(t))), 1e-300)


def sqnr(exact: Array, approximate: Array) -> float:
    """Return the signal-to-quantization-noise ratio in dB, at most `MAX_SQNR_DB` either way; 0 without a signal."""
    signal, noise = float((exact**2).sum()), float(((exact - approximate) ** 2).sum())
    if signal == 0:
        return 0.0
    limit = 10 ** (MAX_SQNR_DB / 10)
    return 10 * math.log10(min(max(signal / max(noise, signal / limit), 1 / limit), limit))


def relative_cost(op: str, family: str) -> float:
    """Return C: the operations beyond the cheapest candidate's, as a weighted share of its own."""
    counts = OPERATIONS[op]
    return COST_WEIGHT * (counts[family] / min(counts.values()) - 1)
