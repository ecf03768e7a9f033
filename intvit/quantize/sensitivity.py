"""How much errors at the outputs of a linear layer count: what they do to the outputs of the model, to first order.

With `g` the gradients of random sums of the model's outputs, whose weights are independent and standard normal, an error `e` of
one row adds `e^T E[g g^T] e` to the squared error of the outputs. As in K-FAC (Martens and Grosse, arXiv 1503.05671) and YAQA
(Tseng et al., arXiv 2505.22988) this is split into how much each row counts, and how much each direction of its channels does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.quantize.calibrate import Progress, float_session
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.gradients import gradients
from intvit.quantize.layer_rows import LayerRows
from intvit.quantize.linear_layers import LinearLayer

Array = NDArray[Any]
PROBES = 2
"""How many random sums of the outputs are differentiated for each image."""
EVEN_SHARE = 0.8
"""The share of a row's weight that is the same for all rows."""
DAMPING = 1.0
"""Share of the mean diagonal that is added to the second moments of gradients, which are those of a few images."""
FEW_GRADIENTS = 32
"""With fewer gradients than this many times the channels, more is added."""


@dataclass(frozen=True)
class Sensitivity:
    """How much errors at the outputs of a linear layer count.

    Attributes:
        rows: how much each of the layer's sampled rows does, float64 [R], 1 on average.
        channels: how much the products of the errors of any two channels do, float64 [C, C].
        gradients: how many gradients `channels` is the mean of, `PROBES` for each row of the calibration images.
    """

    rows: Array
    channels: Array
    gradients: int

    def squared_error(self, noise: Array) -> float:
        """Return the squared error of the model's outputs, over all calibration images, that errors of a layer's outputs make.

        Args:
            noise: the errors of the sampled rows, float [R, C]; the other rows are taken to have as large ones.
        """
        return self.share * float(self.rows @ ((noise @ self.channels) * noise).sum(1))

    @property
    def share(self) -> float:
        """How many rows the calibration images have for each that was sampled."""
        return self.gradients / PROBES / len(self.rows)

    @property
    def even_rows(self) -> Array:
        """How much each row counts where weights are fitted, float64 [R]; the fit must not rest on a few rows alone."""
        weights: Array = (1 - EVEN_SHARE) * self.rows + EVEN_SHARE
        return weights

    @property
    def damped_channels(self) -> Array:
        """`channels` with more on the diagonal the fewer gradients tell them, float64 [C, C], positive definite."""
        share = DAMPING * max(1.0, FEW_GRADIENTS * len(self.channels) / self.gradients)
        added: Array = self.channels + (share * float(np.diag(self.channels).mean()) + 1e-30) * np.eye(len(self.channels))
        return added


def sensitivities(
    graph: FloatGraph,
    model: CanonicalModel,
    layers: Sequence[LinearLayer],
    layer_rows: LayerRows,
    pixels: Sequence[Array],
    normalize: Callable[[Array], Array],
    progress: Progress | None = None,
) -> dict[str, Sensitivity]:
    """Return the sensitivity of every linear layer, by name; the same images give the same.

    Args:
        graph: the canonical float graph.
        model: its model.
        layers: the linear layers.
        layer_rows: the rows that were sampled of their inputs.
        pixels: the images that these are from, uint8 [H, W, 3].
        normalize: uint8 [N, H, W, 3] to the model's input.
        progress: called with (images done, images in all).
    """
    names = [node.output for node in graph.nodes]
    session, draws = float_session(model, names), [np.random.default_rng(probe) for probe in range(PROBES)]
    gatherers = {layer.output: _Gatherer(layer, layer_rows.places_of(layer)) for layer in layers}
    for done, image in enumerate(pixels):
        feed = {graph.input: normalize(image[None])}
        values = feed | dict(zip(names, session.run(names, feed), strict=True))
        for rng in draws:
            seeds = {name: rng.standard_normal(values[name].shape, np.float32) for name in graph.outputs}
            for name, gradient in gradients(graph, values, seeds, gatherers.keys()).items():
                gatherers[name].add(done, gradient)
        if progress:
            progress(done + 1, len(pixels))
    return {gatherer.layer.name: gatherer.sensitivity() for gatherer in gatherers.values()}


class _Gatherer:
    """Gathers the gradients of one layer's outputs, image by image.

    Args:
        layer: the layer.
        places: of the sampled rows among all rows of their image, int64 [images, rows].
    """

    def __init__(self, layer: LinearLayer, places: Array) -> None:
        channels = layer.weight.shape[1]
        self.layer = layer
        self._places = places
        self._lengths = np.zeros(places.shape)
        self._moments = np.zeros((channels, channels))
        self._seen = 0

    def add(self, image: int, gradient: Array) -> None:
        """Take in a gradient of the outputs for an image."""
        rows = self.layer.output_rows(gradient).reshape(-1, len(self._moments))
        self._lengths[image] += (rows[self._places[image]] ** 2).sum(1)
        self._moments += rows.T @ rows
        self._seen += len(rows)

    def sensitivity(self) -> Sensitivity:
        """Return what was gathered."""
        lengths = self._lengths.reshape(-1)
        return Sensitivity(lengths / (lengths.mean() + 1e-30), self._moments / max(self._seen, 1), max(self._seen, 1))
