"""AIQViT's dynamic focusing quantizer (arXiv 2502.04628): uniform codes of an interval of what softmax gives.

Values outside the interval go to its ends. The interval of each softmax is searched on calibration images. It lies on the
exponentials, of which each row's largest is 1, not on the probabilities, because the division by the row sum comes later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import U8

Array = NDArray[Any]
ENDS = (1.0, 0.85, 0.7, 0.58, 0.47, 0.38, 0.3)
"""Upper ends of the interval that are tried."""
LOWS = (0, 1, 2, 3, 4, 6, 8, 12, 16)
"""Lower ends that are tried, in units of which about 255 are the upper end."""


@dataclass(frozen=True)
class Focus:
    """Uniform codes q of exponentials on an interval: `low + step q` stands for `(low + step q) end / top`.

    Both `low` and `step` are whole, so that a product with values is `step (q . v) + low sum(v)`, all in integers.

    Attributes:
        bits: of a code.
        low: what the least code is worth.
        step: what one code more is worth.
        end: the exponential that the top code stands for.
    """

    bits: int
    low: int
    step: int
    end: float

    @property
    def top(self) -> int:
        """What the top code is worth."""
        return self.low + self.step * ((1 << self.bits) - 1)

    def values(self, ratio: Array) -> Array:
        """Return what the codes of exponentials are worth, float64 holding whole numbers from `low` to `top`."""
        codes = np.floor((ratio * (self.top / self.end) - self.low) / self.step + 0.5)
        result: Array = self.low + self.step * np.clip(codes, 0, (1 << self.bits) - 1)
        return result


def focuses(bits: int) -> Iterator[Focus]:
    """Return the candidates of so many bits whose values fit u8; with 8 bits the interval can only start at zero."""
    for end, low in product(ENDS, LOWS):
        step = (U8.high - low) // ((1 << bits) - 1)
        if step:
            yield Focus(bits, low, step, end)
