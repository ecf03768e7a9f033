"""Write means over positions as `ReduceMean` with constant, non-negative axes."""

import onnx_ir as ir

from intvit.importer.rewrite import Editor, Rule, dims_of, input_of, integers_of


def _global_average_pool(editor: Editor, node: ir.Node) -> bool:
    """A mean over every axis after the channels."""
    source, dims, out = node.inputs[0], dims_of(node.inputs[0]), dims_of(node.outputs[0])
    if source is None or dims is None or out is None:
        return False
    axes = editor.integers(range(2, len(dims)), f"{node.name}_axes")
    editor.supersede(node.outputs[0], editor.emit("ReduceMean", [source, axes], out, at=node, keepdims=1))
    return True


def _reduce_mean(editor: Editor, node: ir.Node) -> bool:
    """Count axes from the front, in order."""
    source, dims, axes = node.inputs[0], dims_of(node.inputs[0]), integers_of(input_of(node, 1))
    out = dims_of(node.outputs[0])
    if source is None or dims is None or out is None or not axes:
        return False
    front = editor.integers(sorted(axis % len(dims) for axis in axes), f"{node.name}_axes")
    keep = node.attributes.get_int("keepdims", 1)
    editor.supersede(node.outputs[0], editor.emit("ReduceMean", [source, front], out, at=node, keepdims=keep))
    return True


POOLING_RULES = (
    Rule("reduce_mean", ("ReduceMean",), _reduce_mean),
    Rule("global_average_pool", ("GlobalAveragePool",), _global_average_pool),
)
