"""Data movement: the codes move, and the scales move with them."""

from __future__ import annotations

import numpy as np

from intvit.ir import Op
from intvit.ops import Reshape, Slice, Transpose
from intvit.quantize.encoding import Encoding, compress
from intvit.quantize.float_graph import FloatGraph, FloatNode
from intvit.quantize.lower.context import Context
from intvit.quantize.uses import move, slice_range


def lower_movement(context: Context, node: FloatNode) -> None:
    """Lower `Reshape`, `Transpose` or `Slice`."""
    source = context.values[node.inputs[0]]
    shape = context.graph.shapes[node.inputs[0]]
    scale, zero_point = (
        compress(np.ascontiguousarray(move(context.graph, node, np.broadcast_to(a, shape))))
        for a in (source.encoding.scale, source.encoding.zero_point)
    )
    encoding = Encoding(source.encoding.dtype, scale, zero_point, source.encoding.span)
    context.set(node.output, context.emit(node.name, _op(context, node), source.name), encoding, made=False)


def _op(context: Context, node: FloatNode) -> Op:
    if node.op == "Transpose":
        return Transpose(perm=tuple(node.attributes["perm"]))
    if node.op == "Slice":
        axis, start, end = slice_range(context.graph, node)
        return Slice(axis=axis, start=start, end=end)
    return Reshape(shape=target_shape(context.graph, node.output))


def target_shape(graph: FloatGraph, value: str) -> tuple[int, ...]:
    """Return the shape of a float value as `Reshape` takes it, with -1 for the batch."""
    batch = graph.batch_axes[value]
    return tuple(-1 if i == batch else d for i, d in enumerate(graph.shapes[value]))
