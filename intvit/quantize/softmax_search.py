"""Judging layouts of softmax's exponentials by the error of what they are for: the product with the values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.quantize.calibrate import float_session
from intvit.quantize.float_graph import FloatGraph

Array = NDArray[Any]
Layout = TypeVar("Layout")
SEARCH_IMAGES = 8
"""How many calibration images judge the layouts of softmax."""


def select_layouts(
    graph: FloatGraph,
    model: CanonicalModel,
    pixels: list[Array],
    normalize: Callable[[Array], Array],
    layouts: Sequence[Layout],
    exponentials: Callable[[Layout, Array], Array],
) -> dict[str, Layout]:
    """Return, for every softmax that a product with values reads, the layout with the smallest error of that product.

    Args:
        graph: the canonical float graph.
        model: the same, to be run.
        pixels: the calibration images, uint8 [H, W, 3].
        normalize: uint8 [N, H, W, 3] to the model's input.
        layouts: the candidates.
        exponentials: tells what a layout makes of exponentials in (0, 1], each row's largest being 1, in any unit.
    """
    products = _softmax_products(graph)
    session = float_session(model, sorted({name for pair in products.items() for name in pair}))
    errors = {name: np.zeros(len(layouts)) for name in products}
    for image in pixels[:: max(1, len(pixels) // SEARCH_IMAGES)][:SEARCH_IMAGES]:
        for name, values in products.items():
            p, v = session.run([name, values], {session.get_inputs()[0].name: normalize(image[None])})
            errors[name] += product_errors(p, v, layouts, exponentials)
    return {name: layouts[int(error.argmin())] for name, error in errors.items()}


def _softmax_products(graph: FloatGraph) -> dict[str, str]:
    """Return, for every softmax output, the values that it is multiplied by."""
    made = {node.output for node in graph.nodes if node.op == "Softmax"}
    return {node.inputs[0]: node.inputs[1] for node in graph.nodes if node.op == "MatMul" and node.inputs[0] in made}


def product_errors(p: Array, v: Array, layouts: Sequence[Layout], exponentials: Callable[[Layout, Array], Array]) -> Array:
    """Return the squared error of the product of probabilities [..., R, K] and values [..., K, C] under every layout."""
    ratio, exact = p.astype(np.float64) / p.max(-1, keepdims=True), p @ v
    codes = (exponentials(layout, ratio) for layout in layouts)
    return np.array([float(((e / e.sum(-1, keepdims=True) @ v - exact) ** 2).sum()) for e in codes])
