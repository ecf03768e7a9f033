"""Take a slice of rows before the row-wise operators instead of after them, so that unused rows are never computed.

A classifier that reads the class token alone needs one row of the last block; the rest of that block's output is dropped.
"""

import math

import numpy as np
import onnx_ir as ir

from intvit.importer.rewrite import Editor, array_of, input_of, integers_of, known_dims

Range = tuple[int, int, int]
_FIRST_INPUT = ("LayerNormalization", "Gelu", "Softmax")


def hoist_row_slices(editor: Editor) -> None:
    """Move every `Slice` up through the operators that treat rows independently, as far as it goes."""
    while any(_hoist(editor, node) for node in reversed(tuple(editor.graph)) if node.op_type == "Slice"):
        pass


def _hoist(editor: Editor, node: ir.Node) -> bool:
    source, cut = node.inputs[0], slice_range(node)
    producer = None if source is None else source.producer()
    if source is None or producer is None or cut is None or source.is_graph_output():
        return False
    readers = [use.node for use in source.uses()]
    if any(reader.op_type != "Slice" or slice_range(reader) != cut or reader.inputs[0] is not source for reader in readers):
        return False
    inputs = _sliced_inputs(editor, producer, cut)
    if inputs is None:
        return False
    dims = _cut_dims(known_dims(source), cut)
    attributes = {name: attribute.value for name, attribute in producer.attributes.items()}
    result = editor.emit(producer.op_type, inputs, dims, at=producer, name="rows", **attributes)
    for reader in readers:
        editor.supersede(reader.outputs[0], result)
        editor.graph.remove(reader, safe=True)
    editor.graph.remove(producer, safe=True)
    editor.counts["row_slice_hoisted"] += 1
    return True


def slice_range(node: ir.Node) -> Range | None:
    """Return (axis, start, end) of a canonical `Slice`, its axis counted from the front."""
    start, end, axis, step = (integers_of(input_of(node, i)) for i in (1, 2, 3, 4))
    if not (start and end and axis) or len(axis) != 1 or step != [1] or node.inputs[0] is None:
        return None
    return axis[0] % len(known_dims(node.inputs[0])), start[0], end[0]


def _sliced_inputs(editor: Editor, node: ir.Node, cut: Range) -> list[ir.Value | None] | None:
    """Return the inputs that make a node compute only the rows of `cut`, or None if it can't."""
    axis, start, end = cut
    first = node.inputs[0]
    rank = len(known_dims(node.outputs[0]))
    if first is None:
        return None
    if node.op_type in _FIRST_INPUT and axis < rank - 1:
        return [cut_rows(editor, node, first, cut), *node.inputs[1:]]
    if node.op_type == "MatMul" and axis == rank - 2:
        return [cut_rows(editor, node, first, cut), node.inputs[1]]
    if node.op_type in ("Add", "Mul"):
        return [_slice_broadcast(editor, node, value, cut, rank) for value in node.inputs]
    if node.op_type == "Transpose":
        return [cut_rows(editor, node, first, (int(node.attributes["perm"].as_ints()[axis]), start, end))]
    if node.op_type == "Reshape":
        return _reshaped(editor, node, first, cut)
    return None


def _reshaped(editor: Editor, node: ir.Node, first: ir.Value, cut: Range) -> list[ir.Value | None] | None:
    """Slice before a reshape that leaves the sliced axis whole."""
    axis, start, end = cut
    before, after = known_dims(first), known_dims(node.outputs[0])
    same = [i for i, size in enumerate(before)
            if size == after[axis] > 1 and math.prod(before[:i]) == math.prod(after[:axis])]  # fmt: skip
    target = integers_of(input_of(node, 1))
    if not same or target is None or target[axis] != after[axis]:
        return None
    sliced = cut_rows(editor, node, first, (same[0], start, end))
    shape = [end - start if i == axis else size for i, size in enumerate(target)]
    return [sliced, editor.integers(shape, f"{node.name}_rows_shape")]


def _slice_broadcast(editor: Editor, node: ir.Node, value: ir.Value | None, cut: Range, rank: int) -> ir.Value | None:
    """Slice an operand of an element-wise operator, unless it is the same for all rows."""
    axis, start, end = cut
    if value is None:
        return None
    dims = known_dims(value)
    own = axis - (rank - len(dims))
    if own < 0 or dims[own] == 1:
        return value
    array = array_of(value)
    if array is not None:
        return editor.constant(np.take(array, range(start, end), own), f"{value.name}_rows")
    return cut_rows(editor, node, value, (own, start, end))


def cut_rows(editor: Editor, node: ir.Node, value: ir.Value, cut: Range) -> ir.Value:
    """Emit, before `node`, the slice of `value` that `cut` describes."""
    axis, start, end = cut
    numbers = [editor.integers([n], f"{node.name}_{what}") for what, n in (("start", start), ("end", end), ("axis", axis))]
    steps = editor.integers([1], f"{node.name}_step")
    dims = _cut_dims(known_dims(value), cut)
    return editor.emit("Slice", [value, *numbers, steps], dims, at=node, name="rows_slice")


def _cut_dims(dims: tuple[int, ...], cut: Range) -> tuple[int, ...]:
    axis, start, end = cut
    return tuple(end - start if i == axis else size for i, size in enumerate(dims))
