"""The text form of a graph, for people and for tests."""

from __future__ import annotations

from intvit.ir.check import infer_types
from intvit.ir.graph import Graph, Node
from intvit.ir.tensor_type import TensorType


def to_text(graph: Graph) -> str:
    """Return one line a node: `name: outputs = Op<attributes>(inputs) -> types`."""
    types = infer_types(graph)
    lines = [f"input {name}: {kind}" for name, kind in graph.inputs.items()]
    lines += [_line(node, types) for node in graph.nodes]
    lines += [f"output {name}: {types[name]}" for name in graph.outputs]
    return "\n".join(lines)


def _line(node: Node, types: dict[str, TensorType]) -> str:
    attributes = ", ".join(f"{k}={_value(v)}" for k, v in node.op.attributes().items())
    kinds = ", ".join(str(types[name]) for name in node.outputs)
    return f"{node.name}: {node.op.kind()}<{attributes}>({', '.join(node.inputs)}) -> {kinds}"


def _value(value: object) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
