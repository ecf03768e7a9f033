"""Who reads a value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from intvit.ir import Graph, Node

OUTPUT = Node("output", None, (), ())  # type: ignore[arg-type]
"""Stands among the readers of a value that the graph returns."""


def consumers(graph: Graph) -> Mapping[str, list[Node]]:
    """Return the nodes that read each value, once for each input that does; `OUTPUT` for the graph's outputs."""
    readers: dict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        for name in node.inputs:
            readers[name].append(node)
    for name in graph.outputs:
        readers[name].append(OUTPUT)
    return readers
