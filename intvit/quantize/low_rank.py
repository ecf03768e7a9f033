"""Low-rank compensation of what rounding did to the weights of a layer (AILoC of AIQViT, arXiv 2502.04628), in closed form.

The paper learns `W0 + B A` by gradient descent; here the best correction of some rank is that of reduced-rank regression on the
rows that the layer reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
DAMPING = 0.01
"""Share of the mean diagonal that is added to the Gram matrix before it is factorized."""
PRICE = 0.03
"""How many dB of the layer's output one percent more of its multiplications must gain."""


@dataclass(frozen=True)
class LowRank:
    """A correction of a layer's weights, `down @ up`.

    Attributes:
        down: float64 [K, r].
        up: float64 [r, C].
    """

    down: Array
    up: Array

    @property
    def rank(self) -> int:
        """The rank r, which may be 0."""
        return len(self.up)

    @property
    def product(self) -> Array:
        """What is added to the weights, float64 [K, C]."""
        result: Array = self.down @ self.up
        return result


def low_rank(error: Array, inputs: Array, rank: int, outputs: Array | None = None) -> LowRank:
    """Return the correction of some rank that is nearest to an error of weights, as the layer's outputs see it.

    Minimizes `|inputs (error - down up) M|` over all matrices of that rank: with `inputs.T inputs = L L.T` and
    `outputs = M M.T`, by the singular vectors of `L.T error M` (reduced-rank regression, Izenman 1975).

    Args:
        error: float weights less rounded ones, float64 [K, C].
        inputs: rows that the layer sees, in the units in which the weights apply, float64 [R, K].
        rank: the result has less if K or C is smaller.
        outputs: how much the products of errors of two outputs count, float64 [C, C], positive definite; only squares count,
            all the same, by default.
    """
    gram = inputs.T @ inputs
    gram[np.diag_indices_from(gram)] += DAMPING * float(np.diag(gram).mean()) + 1e-12
    factor = np.linalg.cholesky(gram)
    across = np.eye(error.shape[1]) if outputs is None else np.linalg.cholesky(outputs)
    left, sizes, right = np.linalg.svd(factor.T @ error @ across, full_matrices=False)
    down = np.linalg.solve(factor.T, left[:, :rank])
    return LowRank(down, np.linalg.solve(across.T, (sizes[:rank, None] * right[:rank]).T).T)


def choose_rank(
    correction: LowRank, ranks: Sequence[int], inputs: Array, wanted: Array, noise: Array, outputs: Array | None = None
) -> int:
    """Return the rank that gains most on rows which the correction was not made from, less the price of its multiplications.

    Args:
        correction: of the largest rank.
        ranks: the candidates; 0 is always one.
        inputs: held-out rows without their mean, float64 [R, K].
        wanted: the layer's outputs on them, float64 [R, C].
        noise: `wanted` less what the rounded layer gives, float64 [R, C].
        outputs: as `low_rank` takes it.
    """
    depth, channels = len(correction.down), correction.up.shape[1]
    hidden = inputs @ correction.down
    across = np.eye(channels) if outputs is None else np.linalg.cholesky(outputs)
    best, most = 0, _ratio_db(wanted @ across, noise @ across)
    for rank in sorted(set(ranks) - {0}):
        share = rank * (depth + channels) / (depth * channels)
        left = noise - hidden[:, :rank] @ correction.up[:rank]
        worth = _ratio_db(wanted @ across, left @ across) - PRICE * 100 * share
        if worth > most:
            best, most = rank, worth
    return best


def _ratio_db(signal: Array, noise: Array) -> float:
    """Return a signal-to-noise ratio in dB, both without their means, which the bias takes."""
    power, error = (float(((x - x.mean(0)) ** 2).sum()) for x in (signal, noise))
    return 10 * float(np.log10((power + 1e-30) / (error + 1e-30)))
