"""Easy samples first: how much each calibration image counts under the pacing of AIQViT (arXiv 2502.04628), in closed form.

The paper sorts the images by reconstruction loss and lets step t of T use the first `min(1, s + (1 - s) t / T)` of them. A
fit in closed form has no steps; an image counts as often as the steps would have used it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def row_weights(losses: Array, images: Array, share: float) -> Array:
    """Return how much each row counts, float64 [R] from above 0 to 1.

    Args:
        losses: the reconstruction loss of each row, float64 [R].
        images: the number of each row's image, int64 [R].
        share: of the images, the easiest, with which the pacing starts; at least 0, below 1.
    """
    rank = np.empty(int(images.max()) + 1)
    rank[np.argsort(np.bincount(images, losses), kind="stable")] = np.arange(len(rank)) + 0.5
    weights: Array = np.minimum(1.0, (1 - rank / len(rank)) / (1 - share))
    return weights[images]
