"""Give the rows that the output reads their own path through layers that treat rows independently.

A classifier reads the class token's row alone. The other rows reach it only through attention, which averages their
quantization errors; its own errors stay. With a path of their own, a few rows can have more bits at no cost.
"""

from collections.abc import Sequence

import onnx_ir as ir

from intvit.importer.rewrite import Editor, array_of, dims_of, known_dims
from intvit.importer.rules.unused_rows import Range, cut_rows, slice_range

MAX_ROWS = 4
"""Paths are split only for at most this many rows."""


def split_read_rows(editor: Editor, start: str) -> None:
    """Split layers into the rows that the output reads and the others, which meet again where something else reads them.

    Args:
        editor: of a graph in canonical form.
        start: the operator at which paths begin, where a linear layer reads it.
    """
    cuts = _cuts(editor)
    if cuts is None:
        return
    split: dict[ir.Value, list[ir.Value]] = {}
    for node in tuple(editor.graph):
        source, dims = node.inputs[0] if node.inputs else None, dims_of(node.outputs[0]) or ()
        if source is None or len(dims) != 3:
            continue
        if source in split and (cut := slice_range(node)) in cuts:
            editor.supersede(node.outputs[0], split[source][cuts.index(cut)])
            editor.graph.remove(node, safe=True)
        elif source in split and _is_rowwise(node):
            split[node.outputs[0]] = _apply(editor, node, split[source])
        elif node.op_type == start and dims[1] == cuts[0][2] and _feeds_linear(node):
            split[node.outputs[0]] = _apply(editor, node, [cut_rows(editor, node, source, cut) for cut in cuts])
            editor.counts["read_rows_split"] += 1
    for value, (others, read) in reversed(split.items()):
        _join(editor, value, [read, others])


def _cuts(editor: Editor) -> tuple[Range, Range] | None:
    """Return the slices of the other rows and of those that are read, from the one that ends the stream of tokens."""
    for node in reversed(tuple(editor.graph)):
        cut = slice_range(node) if node.op_type == "Slice" else None
        source = node.inputs[0]
        if cut is None or source is None or source.producer() is None:
            continue
        dims = known_dims(source)
        if len(dims) == 3 and cut[0] == 1 and cut[1] == 0 and cut[2] <= MAX_ROWS < dims[1]:
            return (1, cut[2], dims[1]), cut
    return None


def _is_rowwise(node: ir.Node) -> bool:
    """Whether a node does the same to each row of its first input."""
    if node.op_type in ("LayerNormalization", "Gelu"):
        return True
    constant = array_of(node.inputs[1]) if node.op_type in ("MatMul", "Add", "Mul") else None
    if constant is None:
        return False
    return constant.ndim == 2 if node.op_type == "MatMul" else constant.ndim < 2 or constant.shape[-2] == 1


def _feeds_linear(node: ir.Node) -> bool:
    return any(use.node.op_type == "MatMul" and use.idx == 0 and _is_rowwise(use.node) for use in node.outputs[0].uses())


def _apply(editor: Editor, node: ir.Node, parts: Sequence[ir.Value]) -> list[ir.Value]:
    """Apply a node to the other rows and to those that are read."""
    batch, _, channels = known_dims(node.outputs[0])
    attributes = {key: attribute.value for key, attribute in node.attributes.items()}
    results = []
    for name, value in zip(("others", "read"), parts, strict=True):
        dims = (batch, known_dims(value)[1], channels)
        results.append(editor.emit(node.op_type, [value, *node.inputs[1:]], dims, at=node, name=name, **attributes))
    return results


def _join(editor: Editor, value: ir.Value, parts: list[ir.Value]) -> None:
    """Put rows together for what still reads all of them, and remove the node that made them."""
    node = value.producer()
    assert node is not None
    if value.uses() or value.is_graph_output():
        editor.supersede(value, editor.emit("Concat", parts, known_dims(value), at=node, name="rows", axis=1))
    editor.graph.remove(node, safe=True)
