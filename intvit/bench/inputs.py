"""What the engines run on, the same for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Inputs:
    """The same images as every engine takes them.

    Attributes:
        pixels: uint8 [N, H, W, 3].
        images: float32 [N, 3, H, W], preprocessed.
    """

    pixels: Array
    images: Array

    @staticmethod
    def of(pixels: Array, normalize: Callable[[Array], Array]) -> Inputs:
        """Preprocess pixels."""
        return Inputs(pixels, np.ascontiguousarray(normalize(pixels)))

    def batch(self, count: int) -> Inputs:
        """Return the first `count` images."""
        return Inputs(self.pixels[:count], self.images[:count])


def random_pixels(count: int, image_size: tuple[int, int]) -> Array:
    """Return noise, uint8 [count, H, W, 3]; the same for the same arguments."""
    return np.random.default_rng(0).integers(0, 256, (count, *image_size, 3), np.uint8)
