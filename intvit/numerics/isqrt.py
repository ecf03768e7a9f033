"""The exact integer square root."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def isqrt(x: NDArray[Any]) -> NDArray[np.int64]:
    """Return `floor(sqrt(x))` for every element, exactly, by deciding one bit of the root at a time.

    Args:
        x: integers in `[0, 2**62)`, any shape.

    Returns:
        int64 of the same shape.
    """
    root = np.zeros(np.shape(x), np.int64)
    for bit in range(30, -1, -1):
        trial = root | np.int64(1 << bit)
        root = np.where(trial * trial <= x, trial, root)
    return root
