"""How many multiplications the products of a float graph take for one image."""

from __future__ import annotations

import math
from collections.abc import Mapping

from intvit.quantize.float_graph import FloatGraph, FloatNode
from intvit.quantize.linear_layers import LinearLayer

FEWEST_ROWS = 8
"""A product of fewer rows takes as long as one of so many, as it waits for its weights."""


def price_of_layer(graph: FloatGraph, layer: LinearLayer) -> int:
    """Return the multiplications that take as long as a linear layer does."""
    return max(_rows(graph, layer), FEWEST_ROWS) * layer.weight.size


def of_layer(graph: FloatGraph, layer: LinearLayer) -> int:
    """Return the multiplications of a linear layer."""
    return math.prod(graph.shapes[layer.output]) * len(layer.weight)


def of_product(graph: FloatGraph, node: FloatNode) -> int:
    """Return the multiplications of a `MatMul` of two activations."""
    return math.prod(graph.shapes[node.output]) * graph.shapes[node.inputs[0]][-1]


def products(graph: FloatGraph, layers: Mapping[str, LinearLayer]) -> list[FloatNode]:
    """Return the products of two activations."""
    return [node for node in graph.nodes if node.op == "MatMul" and node.name not in layers]


def multiplications(graph: FloatGraph, layers: Mapping[str, LinearLayer]) -> int:
    """Return the multiplications of all products."""
    return sum(of_layer(graph, layer) for layer in layers.values()) + sum(
        of_product(graph, node) for node in products(graph, layers)
    )


def _rows(graph: FloatGraph, layer: LinearLayer) -> int:
    """Return how many rows of one image a linear layer multiplies; those of a patch embedding are patches."""
    return math.prod(graph.shapes[layer.output]) // len(layer.bias)
