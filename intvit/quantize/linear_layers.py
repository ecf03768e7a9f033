"""Which canonical nodes together are one linear layer: product, bias, constant per-channel factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.float_graph import FloatGraph, FloatNode
from intvit.quantize.uses import scalar_factor

Array = NDArray[Any]


@dataclass(frozen=True)
class LinearLayer:
    """A linear layer found in a canonical graph.

    Attributes:
        name: the product's node name.
        input: the activation's value name.
        weight: float64 [K, C], factors folded in.
        bias: float64 [C].
        output: the value name after bias and factors.
        nodes: names of all nodes that it stands for.
        kernel: side of the square patches if the layer is a patch embedding convolution, else 0.
    """

    name: str
    input: str
    weight: Array
    bias: Array
    output: str
    nodes: frozenset[str]
    kernel: int = 0

    def rows(self, value: Array) -> Array:
        """Return the rows that the weights multiply.

        Args:
            value: the layer's input, [N, ..., K], or [N, channels, height, width] for a patch embedding.

        Returns:
            The same [N, ..., K], or patches [N, patches, K] with elements in the order (row, column, channel), as in `weight`.
        """
        if not self.kernel:
            return value
        images, depth, height, width = value.shape
        split = value.reshape(images, depth, height // self.kernel, self.kernel, width // self.kernel, self.kernel)
        return split.transpose(0, 2, 4, 3, 5, 1).reshape(images, -1, len(self.weight))

    def output_rows(self, value: Array) -> Array:
        """Return the rows that the products of `rows` become.

        Args:
            value: the layer's output, [N, ..., C], or [N, C, rows, columns] for a patch embedding.

        Returns:
            The same [N, ..., C], or [N, patches, C].
        """
        if not self.kernel:
            return value
        return value.reshape(*value.shape[:2], -1).swapaxes(1, 2)


def linear_layers(graph: FloatGraph) -> dict[str, LinearLayer]:
    """Return the linear layers by the name of their first node."""
    layers = {}
    for node in graph.nodes:
        if node.op == "MatMul" and graph.is_constant(node.inputs[1]):
            weight = graph.constants[node.inputs[1]].astype(np.float64)
            layers[node.name] = _with_followers(graph, node, weight, np.zeros(weight.shape[1]))
        elif node.op == "Conv":
            layers[node.name] = _patch_embedding(graph, node)
    return layers


def _with_followers(graph: FloatGraph, node: FloatNode, weight: Array, bias: Array) -> LinearLayer:
    nodes, output = {node.name}, node.output
    while (user := graph.only_consumer(output)) is not None and user.inputs[0] == output:
        constant = graph.constants.get(user.inputs[1]) if len(user.inputs) > 1 else None
        if constant is None or user.op not in ("Add", "Mul") or scalar_factor(graph, user) is not None:
            break
        if constant.size not in (1, bias.size) or (constant.size > 1 and constant.shape[-1] != bias.size):
            break
        flat = np.broadcast_to(constant.astype(np.float64).reshape(-1), bias.shape)
        if user.op == "Add":
            bias = bias + flat
        else:
            weight, bias = weight * flat, bias * flat
        nodes.add(user.name)
        output = user.output
    return LinearLayer(node.name, node.inputs[0], weight, bias, output, frozenset(nodes))


def _patch_embedding(graph: FloatGraph, node: FloatNode) -> LinearLayer:
    """Write a convolution over disjoint square patches as a linear layer over (row, column, channel) of a patch."""
    weight = graph.constants[node.inputs[1]].astype(np.float64)
    bias = graph.constants[node.inputs[2]].astype(np.float64)
    channels, depth, side, _ = weight.shape
    flat = weight.transpose(2, 3, 1, 0).reshape(side * side * depth, channels)
    return LinearLayer(node.name, node.inputs[0], flat, bias, node.output, frozenset({node.name}), side)
