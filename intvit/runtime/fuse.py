"""Which nodes one kernel computes together, so that what lies between them never goes to memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from intvit import ops
from intvit.ir import Graph, Node, TensorType
from intvit.numerics import S16
from intvit.runtime.rescaling import rescales_in_tile
from intvit.runtime.uses import consumers

Types = Mapping[str, TensorType]
Readers = Mapping[str, Sequence[Node]]


@dataclass(frozen=True)
class Group:
    """Nodes that run as one, where the last of them stands.

    Attributes:
        nodes: in the order of the graph.
        inputs: the values that the group reads; for a single node all of its inputs.
        outputs: the values that it makes for others.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the first node."""
        return self.nodes[0].name

    @property
    def kind(self) -> str:
        """The operators, joined by plus signs."""
        return "+".join(node.op.kind() for node in self.nodes)


def single(node: Node) -> Group:
    """Return the group of one node."""
    return Group((node,), node.inputs, node.outputs)


def group_nodes(graph: Graph, types: Types) -> list[Group]:
    """Return all nodes of a graph in groups, each fused as far as there is a kernel for it, in executable order."""
    readers = consumers(graph)
    groups = (_fused_from(node, graph, readers, types) for node in graph.nodes)
    fused = {group.nodes[-1].name: group for group in groups if group}
    inside = {node.name for group in fused.values() for node in group.nodes}
    return [fused.get(node.name) or single(node) for node in graph.nodes if node.name in fused or node.name not in inside]


def _fused_from(node: Node, graph: Graph, readers: Readers, types: Types) -> Group | None:
    """Return the group that starts with a node, if there is one."""
    if isinstance(node.op, ops.Linear):
        x, weight, bias = types[node.inputs[0]].dtype, types[node.inputs[1]], graph.constants[node.inputs[2]]
        return _linear_group(node, readers, types) if rescales_in_tile(node.op, x, weight, bias) else None
    if isinstance(node.op, ops.MatMul):
        return _attention_group(node, readers, types)
    return None


def _only_reader(name: str, readers: Readers) -> Node | None:
    return readers[name][0] if len(readers[name]) == 1 else None


def _linear_group(linear: Node, readers: Readers, types: Types) -> Group | None:
    """Return a linear layer with the GELU or the residual addition behind it."""
    (y,) = linear.outputs
    reader = _only_reader(y, readers)
    if reader is None or types[y].dtype != S16:
        return None
    if isinstance(reader.op, ops.GeluPolynomial | ops.GeluTable):
        return Group((linear, reader), linear.inputs[:1], reader.outputs)
    if isinstance(reader.op, ops.Add) and len({types[name].shape for name in reader.inputs}) == 1:
        residual = reader.inputs[1 - reader.inputs.index(y)]
        return Group((linear, reader), (linear.inputs[0], residual), reader.outputs)
    return None


def _attention_group(scores: Node, readers: Readers, types: Types) -> Group | None:
    """Return `q k^T`, the softmax's exponential, its product with the values, and the division by the row's sum."""
    softmax = _only_reader(scores.outputs[0], readers)
    if softmax is None or not isinstance(softmax.op, ops.SoftmaxOctave | ops.SoftmaxPolynomial | ops.SoftmaxTable):
        return None
    mix, divide = (_only_reader(name, readers) for name in softmax.outputs)
    if mix is None or divide is None or not isinstance(mix.op, ops.MatMul) or not isinstance(divide.op, ops.SoftmaxDivide):
        return None
    if mix.inputs[0] != softmax.outputs[0] or divide.inputs[:2] != (mix.outputs[0], softmax.outputs[1]):
        return None
    per_head = all(types[name].shape[-2:-1] in ((), (1,)) for name in (softmax.inputs[1], divide.inputs[2]))
    if not per_head or _only_reader(mix.outputs[0], readers) is not divide:
        return None
    return Group((scores, softmax, mix, divide), (*scores.inputs, mix.inputs[1]), divide.outputs)
