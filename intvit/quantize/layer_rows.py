"""Rows that linear layers read in the float model, to round their weights by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.quantize.calibrate import Progress, float_session
from intvit.quantize.linear_layers import LinearLayer

Array = NDArray[Any]
ROWS = 8192
"""How many rows of a layer are kept at most, over all images."""


class LayerRows:
    """Sampled rows of every linear layer's input; the patch embedding's rows are patches.

    Args:
        model: the canonical float model.
        layers: its linear layers.
        pixels: uint8 [H, W, 3] images at the model's size.
        normalize: uint8 [N, H, W, 3] to the model's input.
        progress: called with (images done, images in all).

    Attributes:
        images: how many images the rows are from.
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
        session, rng = float_session(model, inner), np.random.default_rng(0)
        per_image = -(-ROWS // len(pixels))
        rows: dict[str, list[Array]] = {name: [] for name in readers}
        places: dict[str, list[Array]] = {name: [] for name in readers}
        for done, image in enumerate(pixels):
            pixel_values = normalize(image[None])
            values = {feed: pixel_values} | dict(zip(inner, session.run(inner, {feed: pixel_values}), strict=True))
            for name, layer in readers.items():
                found = layer.rows(values[name]).reshape(-1, len(layer.weight))
                places[name].append(np.sort(rng.permutation(len(found))[:per_image]))
                rows[name].append(found[places[name][-1]].astype(np.float16))
            if progress:
                progress(done + 1, len(pixels))
        self.images = len(pixels)
        self._rows = {name: np.concatenate(parts) for name, parts in rows.items()}
        self._places = {name: np.stack(parts) for name, parts in places.items()}

    def of(self, layer: LinearLayer) -> Array:
        """Return rows that a layer reads, float64 [R, K]."""
        return self._rows[layer.input].astype(np.float64)

    def places_of(self, layer: LinearLayer) -> Array:
        """Return the places of these rows among all rows of their image, int64 [images, R / images]."""
        return self._places[layer.input]

    def images_of(self, layer: LinearLayer) -> Array:
        """Return the number of the image that each of these rows is from, int64 [R]."""
        return np.repeat(np.arange(self.images), len(self._rows[layer.input]) // self.images)
