"""How many multiply-accumulates a graph needs for one image."""

from __future__ import annotations

import math
from collections.abc import Mapping

from intvit.ir import Graph, Node, TensorType
from intvit.ops import Linear, MatMul


def node_macs(node: Node, types: Mapping[str, TensorType]) -> int:
    """Return those of one node: only linear layers and products of activations have any."""
    if not isinstance(node.op, Linear | MatMul):
        return 0
    return math.prod(types[node.outputs[0]].shape) * types[node.inputs[0]].shape[-1]


def macs(graph: Graph, types: Mapping[str, TensorType]) -> int:
    """Return those of a whole graph."""
    return sum(node_macs(node, types) for node in graph.nodes)
