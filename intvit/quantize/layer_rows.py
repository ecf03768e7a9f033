"""Rows that linear layers read in the float model, to round their weights by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.quantize.calibrate import BATCH, Progress, float_session
from intvit.quantize.linear_layers import LinearLayer

Array = NDArray[Any]
ROWS = 8192
"""How many rows of a layer are kept at most, over all images."""


class LayerRows:
    """Sampled rows of every linear layer's input but the patch embedding's.

    Args:
        model: the canonical float model, which must lead with the batch everywhere.
        layers: its linear layers.
        pixels: uint8 [H, W, 3] images at the model's size.
        normalize: uint8 [N, H, W, 3] to the model's input.
        progress: called with (images done, images in all).
    """

    def __init__(
        self,
        model: CanonicalModel,
        layers: Sequence[LinearLayer],
        pixels: Sequence[Array],
        normalize: Callable[[Array], Array],
        progress: Progress | None = None,
    ) -> None:
        self._layers = [layer for layer in layers if not layer.kernel]
        names = sorted({layer.input for layer in self._layers})
        per_image = -(-ROWS // len(pixels))
        session = float_session(model, names)
        rng = np.random.default_rng(0)
        parts: dict[str, list[Array]] = {name: [] for name in names}
        for start in range(0, len(pixels), BATCH):
            batch = np.stack(pixels[start : start + BATCH])
            for name, value in zip(names, session.run(names, {session.get_inputs()[0].name: normalize(batch)}), strict=True):
                rows = value.reshape(len(batch), -1, value.shape[-1])
                chosen = np.sort(rng.permutation(rows.shape[1])[:per_image])
                parts[name].append(rows[:, chosen].reshape(-1, value.shape[-1]).astype(np.float16))
            if progress:
                progress(start + len(batch), len(pixels))
        self._images = len(pixels)
        self._rows = {name: np.concatenate(part) for name, part in parts.items()}

    def of(self, layer: LinearLayer) -> tuple[Array, int]:
        """Return rows [R, K] that a layer reads and then those of layers with equal weights, and how many are its own.

        The class token may go its own way through the same weights; its few rows alone would not determine their rounding.
        """
        names = self._names(layer)
        return np.concatenate([self._rows[name] for name in names]).astype(np.float64), len(self._rows[layer.input])

    def images_of(self, layer: LinearLayer) -> Array:
        """Return the number of the image that each of these rows is from, int64 [R]."""
        counts = [len(self._rows[name]) // self._images for name in self._names(layer)]
        return np.concatenate([np.repeat(np.arange(self._images), count) for count in counts])

    def _names(self, layer: LinearLayer) -> list[str]:
        names = [layer.input]
        names += [o.input for o in self._layers if o.input != layer.input and np.array_equal(o.weight, layer.weight)]
        return list(dict.fromkeys(names))
