"""Make the shapes of a batch-1 graph hold for any batch: constant `Reshape` targets with -1, and `Expand`."""

from collections.abc import Mapping

import onnx_ir as ir

from intvit.importer.batch import Batch
from intvit.importer.model import HELPER
from intvit.importer.rewrite import Editor, Rule, array_of, dims_of, floats_of, known_dims, produced_by

_RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def free_batch(editor: Editor, batches: Mapping[ir.Value, Batch]) -> None:
    """Rewrite whatever has batch 1 built in.

    Args:
        editor: of a graph with known shapes and batch 1.
        batches: the batch of every value that carries one.
    """

    def reshape(_: Editor, node: ir.Node) -> bool:
        return _reshape(editor, node, batches.get(node.outputs[0]))

    def concat(_: Editor, node: ir.Node) -> bool:
        return _expand_constants(editor, node, batches.get(node.outputs[0]))

    editor.run(Rule(op_type.lower(), (op_type,), reshape) for op_type in _RESHAPES)
    editor.run([Rule("reshape_of_reshape", ("Reshape",), _join_reshapes)])
    editor.run([Rule("constant_repeated_over_batch", ("Concat",), concat)])


def _reshape(editor: Editor, node: ir.Node, batch: Batch | None) -> bool:
    source, dims = node.inputs[0], dims_of(node.outputs[0])
    if source is None or dims is None or array_of(source) is not None:
        return False
    if dims == dims_of(source) and editor.bypass(node.outputs[0], source):
        return True
    target = list(dims)
    if batch is not None:
        target[batch.axis] = -1
    shape = editor.integers(target, f"{node.name}_dims")
    editor.supersede(node.outputs[0], editor.emit("Reshape", [source, shape], dims, at=node))
    return True


def _join_reshapes(editor: Editor, node: ir.Node) -> bool:
    """Two reshapes in a row are the second one alone."""
    before = produced_by(node.inputs[0], "Reshape")
    source = None if before is None else before.inputs[0]
    if source is None:
        return False
    if dims_of(source) == dims_of(node.outputs[0]) and editor.bypass(node.outputs[0], source):
        return True
    node.replace_input_with(0, source)
    return True


def _expand_constants(editor: Editor, node: ir.Node, batch: Batch | None) -> bool:
    """Repeat the constant operands, such as a class token, over the batch of the others."""
    if batch is None or batch.label != "N":
        return False
    changed = False
    for index, value in enumerate(node.inputs):
        constant = floats_of(value)
        if value is None or constant is None or constant.shape[batch.axis] != 1:
            continue
        target = _batch_target(editor, node, batch.axis, constant.ndim)
        out = editor.emit("Expand", [value, target], known_dims(value), at=node, name="expand")
        node.replace_input_with(index, out)
        changed = True
    return changed


def _batch_target(editor: Editor, node: ir.Node, axis: int, rank: int) -> ir.Value:
    """Emit the nodes that compute [1, ..., N, ..., 1]."""
    size = editor.emit("Shape", [editor.graph.inputs[0]], [1], at=node, name="batch", start=0, end=1)
    parts = [size]
    if axis > 0:
        parts.insert(0, editor.integers([1] * axis, f"{node.name}_before"))
    if axis < rank - 1:
        parts.append(editor.integers([1] * (rank - 1 - axis), f"{node.name}_after"))
    target = editor.emit("Concat", parts, [rank], at=node, name="target", axis=0)
    for value in (size, target):
        value.dtype = ir.DataType.INT64
        producer = value.producer()
        if producer is not None:
            producer.metadata_props[HELPER] = str(axis)
    return target
