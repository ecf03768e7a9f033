"""Write every elementwise operation with a constant as `Add` or `Mul`, the activation first."""

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from intvit.importer.rewrite import (
    Array,
    Editor,
    Rule,
    array_of,
    dims_of,
    floats_of,
    known_dims,
    name_of,
    split_constant,
)


def _sub(editor: Editor, node: ir.Node) -> bool:
    """`x - c` as `x + (-c)`."""
    return _with_constant(editor, node, "Add", lambda c: -c)


def _div(editor: Editor, node: ir.Node) -> bool:
    """`x / c` as `x * (1 / c)`."""
    return _with_constant(editor, node, "Mul", lambda c: (1.0 / c.astype(np.float64)).astype(np.float32))


def _with_constant(editor: Editor, node: ir.Node, op_type: str, change: Callable[[Array], Array]) -> bool:
    source, constant = node.inputs[0], floats_of(node.inputs[1])
    dims = dims_of(node.outputs[0])
    if source is None or constant is None or dims is None or array_of(source) is not None:
        return False
    changed = editor.constant(change(constant), f"{node.name}_constant")
    editor.supersede(node.outputs[0], editor.emit(op_type, [source, changed], dims, at=node))
    return True


def _neg(editor: Editor, node: ir.Node) -> bool:
    """`-x` as `x * -1`."""
    source, dims = node.inputs[0], dims_of(node.outputs[0])
    if source is None or dims is None or source.dtype != ir.DataType.FLOAT:
        return False
    minus_one = editor.constant(np.array(-1, dtype=np.float32), f"{node.name}_constant")
    editor.supersede(node.outputs[0], editor.emit("Mul", [source, minus_one], dims, at=node))
    return True


def _constant_second(_: Editor, node: ir.Node) -> bool:
    """`c + x` as `x + c`, `c * x` as `x * c`."""
    pair = split_constant(node)
    if pair is None or pair[0] is node.inputs[0]:
        return False
    node.replace_input_with(0, pair[0])
    node.replace_input_with(1, pair[1])
    return True


def _fewest_dims(editor: Editor, node: ir.Node) -> bool:
    """Drop the leading ones of the dims of a constant, which broadcasting gives back."""
    source, constant = node.inputs[0], floats_of(node.inputs[1])
    if constant is None or dims_of(source) is None or constant.ndim > len(known_dims(source)):
        return False
    dims = list(constant.shape)
    while dims and dims[0] == 1:
        dims.pop(0)
    if len(dims) == constant.ndim:
        return False
    node.replace_input_with(1, editor.constant(constant.reshape(dims), f"{name_of(node.inputs[1])}_flat"))
    return True


ARITHMETIC_RULES = (
    Rule("sub_constant", ("Sub",), _sub),
    Rule("div_constant", ("Div",), _div),
    Rule("neg", ("Neg",), _neg),
    Rule("constant_first", ("Add", "Mul"), _constant_second),
    Rule("constant_with_leading_ones", ("Add", "Mul"), _fewest_dims),
)
