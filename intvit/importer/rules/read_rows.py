"""Give the rows that the output reads their own path through the second layer of each MLP.

A classifier reads the class token's row alone. The other rows reach it only through attention, which averages their
quantization errors; its own errors stay. With a path of their own, a few rows can have more bits at no cost.
"""

import onnx_ir as ir

from intvit.importer.rewrite import Editor, array_of, known_dims
from intvit.importer.rules.unused_rows import cut_rows, slice_range

MAX_ROWS = 4
"""Paths are split only for at most this many rows."""


def split_read_rows(editor: Editor) -> None:
    """Split every `Gelu` and the linear layer behind it into the rows that the output reads and the others."""
    rows = _read_rows(editor)
    if rows is None:
        return
    for node in tuple(editor.graph):
        dims = known_dims(node.outputs[0]) if node.op_type == "Gelu" else ()
        layer = _linear_layer(node) if len(dims) == 3 and dims[1] == rows[0] else None
        if layer is not None:
            _split(editor, node, layer, rows[1])
            editor.counts["read_rows_split"] += 1


def _read_rows(editor: Editor) -> tuple[int, int] | None:
    """Return (tokens, first rows that are read) from the slice that ends the stream of tokens."""
    for node in reversed(tuple(editor.graph)):
        cut = slice_range(node) if node.op_type == "Slice" else None
        source = node.inputs[0]
        if cut is None or source is None or source.producer() is None:
            continue
        dims = known_dims(source)
        if len(dims) == 3 and cut[0] == 1 and cut[1] == 0 and cut[2] <= MAX_ROWS < dims[1]:
            return dims[1], cut[2]
    return None


def _linear_layer(gelu: ir.Node) -> list[ir.Node] | None:
    """Return the product, and the bias if there is one, that alone use a GELU's output."""
    product = _only_user(gelu)
    if product is None or product.op_type != "MatMul" or array_of(product.inputs[1]) is None:
        return None
    bias = _only_user(product)
    has_bias = bias is not None and bias.op_type == "Add" and array_of(bias.inputs[1]) is not None
    return [product, bias] if has_bias and bias is not None else [product]


def _only_user(node: ir.Node) -> ir.Node | None:
    out = node.outputs[0]
    uses = tuple(out.uses())
    return uses[0].node if len(uses) == 1 and not out.is_graph_output() else None


def _split(editor: Editor, gelu: ir.Node, layer: list[ir.Node], read: int) -> None:
    old = layer[-1].outputs[0]
    tokens = known_dims(old)[1]
    parts = [_path(editor, gelu, layer, (1, start, end), name)
             for start, end, name in ((read, tokens, "others"), (0, read, "read"))]  # fmt: skip
    whole = editor.emit("Concat", parts[::-1], known_dims(old), at=layer[-1], name="rows", axis=1)
    editor.supersede(old, whole)
    for node in (*reversed(layer), gelu):
        editor.graph.remove(node, safe=True)


def _path(editor: Editor, gelu: ir.Node, layer: list[ir.Node], cut: tuple[int, int, int], name: str) -> ir.Value:
    """Apply GELU and the layer to some rows."""
    source = gelu.inputs[0]
    assert source is not None
    value = cut_rows(editor, gelu, source, cut)
    for node in (gelu, *layer):
        batch, _, channels = known_dims(node.outputs[0])
        dims = (batch, cut[2] - cut[1], channels)
        attributes = {key: attribute.value for key, attribute in node.attributes.items()}
        value = editor.emit(node.op_type, [value, *node.inputs[1:]], dims, at=node, name=name, **attributes)
    return value
