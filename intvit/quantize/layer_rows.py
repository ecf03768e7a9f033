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
    """Sampled rows of every linear layer's input; the patch embedding's rows are patches.

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
        feed = str(model.model.graph.inputs[0].name)
        readers = {layer.input: layer for layer in sorted(layers, key=lambda layer: layer.input)}
        inner = [name for name in readers if name != feed]
        session = float_session(model, inner)
        per_image = -(-ROWS // len(pixels))
        rng = np.random.default_rng(0)
        parts: dict[str, list[Array]] = {name: [] for name in readers}
        for start in range(0, len(pixels), BATCH):
            batch = normalize(np.stack(pixels[start : start + BATCH]))
            values = {feed: batch} | dict(zip(inner, session.run(inner, {feed: batch}), strict=True))
            for name, layer in readers.items():
                rows = layer.rows(values[name]).reshape(len(batch), -1, len(layer.weight))
                chosen = np.sort(rng.permutation(rows.shape[1])[:per_image])
                parts[name].append(rows[:, chosen].reshape(-1, len(layer.weight)).astype(np.float16))
            if progress:
                progress(start + len(batch), len(pixels))
        self._images = len(pixels)
        self._rows = {name: np.concatenate(part) for name, part in parts.items()}

    def of(self, layer: LinearLayer) -> Array:
        """Return rows that a layer reads, float64 [R, K]."""
        return self._rows[layer.input].astype(np.float64)

    def images_of(self, layer: LinearLayer) -> Array:
        """Return the number of the image that each of these rows is from, int64 [R]."""
        return np.repeat(np.arange(self._images), len(self._rows[layer.input]) // self._images)
