"""Collects nodes and constants of an integer graph while it is being lowered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Graph, Node, Op, TensorType
from intvit.numerics import IntType

Array = NDArray[Any]


class GraphBuilder:
    """Adds operators one by one; infers types as it goes."""

    def __init__(self) -> None:
        self.types: dict[str, TensorType] = {}
        self._inputs: dict[str, TensorType] = {}
        self._constants: dict[str, Array] = {}
        self._nodes: list[Node] = []

    def input(self, name: str, kind: TensorType) -> str:
        """Declare a graph input and return its name."""
        self._inputs[name] = self.types[name] = kind
        return name

    def constant(self, name: str, array: Array) -> str:
        """Add an integer constant and return its name."""
        name = self._fresh(name)
        self._constants[name] = np.ascontiguousarray(array)
        self.types[name] = TensorType(IntType.of(array.dtype), array.shape)
        return name

    def add(self, name: str, op: Op, *inputs: str) -> tuple[str, ...]:
        """Add a node and return its output names: the node's own, or with a suffix where it makes several."""
        name = self._fresh(name)
        many = len(op.output_names) > 1
        outputs = tuple(f"{name}.{o}" if many else name for o in op.output_names)
        self._nodes.append(Node(name, op, inputs, outputs))
        kinds = op.infer([self.types[i] for i in inputs])
        self.types.update(zip(outputs, kinds, strict=True))
        return outputs

    def annotate(self, output: str, metadata: Mapping[str, str]) -> None:
        """Add metadata to the node that makes a value."""
        for i, node in enumerate(self._nodes):
            if output in node.outputs:
                self._nodes[i] = replace(node, metadata={**node.metadata, **metadata})

    def rename(self, old: str, new: str) -> None:
        """Give a value that some node makes another name (for graph outputs)."""

        def swap(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new if n == old else n for n in names)

        self._nodes = [replace(n, inputs=swap(n.inputs), outputs=swap(n.outputs)) for n in self._nodes]
        self.types[new] = self.types.pop(old)

    def build(self, outputs: tuple[str, ...]) -> Graph:
        """Return the graph, without what no output needs."""
        needed = set(outputs)
        kept = []
        for node in reversed(self._nodes):
            if needed & set(node.outputs):
                needed |= set(node.inputs)
                kept.append(node)
        constants = {name: array for name, array in self._constants.items() if name in needed}
        return Graph(self._inputs, outputs, constants, tuple(reversed(kept)))

    def _fresh(self, name: str) -> str:
        base, count = name, 2
        while name in self.types or any(node.name == name for node in self._nodes):
            name = f"{base}_{count}"
            count += 1
        return name
