"""Rewrites of the graph that give the same bits and let more be fused: what works row by row is split where its rows are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from intvit.ir import Graph, Node, TensorType
from intvit.ops import Add, Concat, Linear, Slice
from intvit.runtime.uses import consumers

Types = Mapping[str, TensorType]


def split_rows(graph: Graph, types: Types) -> Graph:
    """Return the graph with slices moved before linear layers, and concatenations behind residual additions.

    `Slice(Linear(x))` becomes `Linear(Slice(x))` where only slices read the layer; `Add(Concat(a, b), c)` becomes
    `Concat(Add(a, c's first rows), Add(b, c's other rows))` where only the addition reads the concatenation.
    """
    readers = consumers(graph)
    linears = {node.outputs[0]: node for node in graph.nodes if _only_slices_read(node, readers[node.outputs[0]], types)}
    joins = {node.outputs[0]: node for node in graph.nodes if _only_an_addition_reads(node, readers[node.outputs[0]], types)}
    moved = {name for node in graph.nodes if (name := _joined_operand(node, joins))}
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.outputs[0] in linears or node.outputs[0] in moved:
            continue
        if isinstance(node.op, Slice) and node.inputs[0] in linears:
            nodes += _linear_of_slice(node, node.op, linears[node.inputs[0]])
        elif name := _joined_operand(node, joins):
            nodes += _concat_of_adds(node, joins[name], types)
        else:
            nodes.append(node)
    return replace(graph, nodes=tuple(nodes))


def _only_slices_read(node: Node, readers: Sequence[Node], types: Types) -> bool:
    """Whether a linear layer is only read by slices of different rows, so that each can have a layer of its own."""
    slices = [reader.op for reader in readers if isinstance(reader.op, Slice)]
    if not isinstance(node.op, Linear) or not slices or len(slices) < len(readers):
        return False
    axes = {op.axis for op in slices}
    ranges = sorted((op.start, op.end) for op in slices)
    apart = all(a[1] <= b[0] for a, b in pairwise(ranges))
    return apart and len(axes) == 1 and axes.pop() != len(types[node.outputs[0]].shape) - 1


def _linear_of_slice(node: Node, op: Slice, linear: Node) -> list[Node]:
    rows = f"{node.outputs[0]}.rows"
    return [
        Node(node.name, op, linear.inputs[:1], (rows,)),
        Node(f"{linear.name}[{op.start}:{op.end}]", linear.op, (rows, *linear.inputs[1:]), node.outputs),
    ]


def _only_an_addition_reads(node: Node, readers: Sequence[Node], types: Types) -> bool:
    """Whether a concatenation of rows is only read by one addition, to an equally large tensor."""
    if not isinstance(node.op, Concat) or len(readers) != 1 or not isinstance(readers[0].op, Add):
        return False
    shapes = {types[name].shape for name in readers[0].inputs}
    return len(shapes) == 1 and node.op.axis != len(shapes.pop()) - 1


def _joined_operand(node: Node, joins: Mapping[str, Node]) -> str | None:
    """Return the operand of an addition that is a concatenation to be moved behind it."""
    return next((name for name in node.inputs if name in joins), None) if isinstance(node.op, Add) else None


def _concat_of_adds(add: Node, concat: Node, types: Types) -> list[Node]:
    assert isinstance(concat.op, Concat)
    axis, side = concat.op.axis, add.inputs.index(concat.outputs[0])
    nodes: list[Node] = []
    sums: list[str] = []
    start = 0
    for part in concat.inputs:
        end = start + types[part].shape[axis]
        name, rows = f"{add.name}[{start}:{end}]", f"{add.outputs[0]}.others[{start}:{end}]"
        sums.append(f"{add.outputs[0]}[{start}:{end}]")
        nodes += [
            Node(f"{name}.others", Slice(axis=axis, start=start, end=end), (add.inputs[1 - side],), (rows,)),
            Node(name, add.op, (rows, part) if side else (part, rows), (sums[-1],)),
        ]
        start = end
    return [*nodes, Node(concat.name, concat.op, tuple(sums), add.outputs)]
