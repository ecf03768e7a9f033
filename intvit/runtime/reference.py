"""The reference executor: every operator's NumPy meaning, one node after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from intvit.ir import Graph, Node

Array = NDArray[Any]


def run_reference(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return the graph's outputs for inputs of any batch size."""
    values = dict(inputs) | dict(graph.constants)
    last_use = {name: node.name for node in graph.nodes for name in node.inputs}
    for node in graph.nodes:
        values.update(_apply(node, values))
        for name in node.inputs:
            if last_use[name] == node.name and name not in graph.outputs:
                values.pop(name, None)
    return {name: values[name] for name in graph.outputs}


def trace_reference(graph: Graph, inputs: Mapping[str, Array]) -> Iterator[tuple[Node, dict[str, Array]]]:
    """Yield each node with its outputs, in order."""
    values = dict(inputs) | dict(graph.constants)
    for node in graph.nodes:
        outputs = _apply(node, values)
        values.update(outputs)
        yield node, outputs


def _apply(node: Node, values: Mapping[str, Array]) -> dict[str, Array]:
    return dict(zip(node.outputs, node.op.reference(*(values[n] for n in node.inputs)), strict=True))
