"""Signal to quantization noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Sqnr:
    """Collects the energy of a signal and of its error over any number of arrays."""

    def __init__(self) -> None:
        self.signal = 0.0
        self.noise = 0.0

    def add(self, exact: NDArray[Any], approximate: NDArray[Any]) -> None:
        """Add one array and its approximation."""
        wide = exact.astype(np.float64)
        self.signal += float(np.square(wide).sum())
        self.noise += float(np.square(approximate - wide).sum())

    @property
    def decibels(self) -> float | None:
        """The ratio in dB; None where there is no signal, no noise, or neither is finite."""
        finite = math.isfinite(self.signal) and math.isfinite(self.noise)
        return 10 * math.log10(self.signal / self.noise) if finite and self.signal > 0 and self.noise > 0 else None
