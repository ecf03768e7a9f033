"""Write linear layers as `MatMul` with a constant [K, N] and `Add`, and give every `Conv` its bias and attributes."""

import numpy as np
import onnx_ir as ir

from intvit.importer.rewrite import (
    Editor,
    Rule,
    dims_of,
    floats_of,
    input_of,
    known_dims,
    name_of,
    only_user,
    produced_by,
)


def _gemm(editor: Editor, node: ir.Node) -> bool:
    """`alpha * x @ w + beta * b` with constant w and b."""
    source, weight, bias = node.inputs[0], floats_of(node.inputs[1]), floats_of(input_of(node, 2))
    dims = dims_of(node.outputs[0])
    flipped, transposed = (node.attributes.get_int(name, 0) for name in ("transA", "transB"))
    if source is None or weight is None or dims is None or flipped:
        return False
    if input_of(node, 2) is not None and bias is None:
        return False
    alpha, beta = (node.attributes.get_float(name, 1.0) for name in ("alpha", "beta"))
    kernel = node.inputs[1]
    if transposed or alpha != 1.0:
        kernel = editor.constant((weight.T if transposed else weight) * np.float32(alpha), f"{name_of(kernel)}_matrix")
    out = editor.emit("MatMul", [source, kernel], dims, at=node)
    if bias is not None:
        add_to = node.inputs[2] if beta == 1.0 else editor.constant(bias * np.float32(beta), f"{node.name}_scaled_bias")
        out = editor.emit("Add", [out, add_to], dims, at=node, name="bias")
    editor.supersede(node.outputs[0], out)
    return True


def _flat_weight(editor: Editor, node: ir.Node) -> bool:
    """A constant of dims [1, ..., K, N] is one matrix."""
    source, weight = dims_of(node.inputs[0]), floats_of(node.inputs[1])
    if source is None or weight is None or weight.ndim <= 2 or weight.ndim > len(source):
        return False
    if set(weight.shape[:-2]) != {1}:
        return False
    matrix = editor.constant(weight.reshape(weight.shape[-2:]), f"{name_of(node.inputs[1])}_matrix")
    node.replace_input_with(1, matrix)
    return True


def _flat_linear(editor: Editor, node: ir.Node) -> bool:
    """A linear layer on flattened rows, which are restored after it, can have them restored before it."""
    before, weight = produced_by(node.inputs[0], "Reshape"), floats_of(node.inputs[1])
    flat, user = dims_of(node.inputs[0]), only_user(node.outputs[0])
    if before is None or weight is None or weight.ndim != 2 or flat is None or user is None:
        return False
    bias = floats_of(user.inputs[1]) if user.op_type == "Add" else None
    has_bias = bias is not None and bias.ndim <= 1
    after = only_user(user.outputs[0]) if has_bias else user
    dims = None if after is None or after.op_type != "Reshape" else dims_of(after.outputs[0])
    if after is None or dims is None or len(dims) <= len(flat) or dims[-1] != weight.shape[1]:
        return False
    rows = (*dims[:-1], weight.shape[0])
    target = editor.integers(rows, f"{node.name}_rows")
    source = editor.emit("Reshape", [before.inputs[0], target], rows, at=node, name="reshape")
    out = editor.emit("MatMul", [source, node.inputs[1]], dims, at=node)
    if has_bias:
        out = editor.emit("Add", [out, user.inputs[1]], dims, at=user)
    editor.supersede(after.outputs[0], out)
    return True


def _conv(editor: Editor, node: ir.Node) -> bool:
    """Spell out the bias and every attribute of a two-dimensional convolution."""
    source, kernel, dims = node.inputs[0], floats_of(node.inputs[1]), dims_of(node.outputs[0])
    if dims_of(source) is None or kernel is None or kernel.ndim != 4 or dims is None:
        return False
    bias = input_of(node, 2) or editor.constant(np.zeros(kernel.shape[0], np.float32), f"{node.name}_bias")
    get = node.attributes.get_ints
    strides, dilations = list(get("strides", [1, 1])), list(get("dilations", [1, 1]))
    sides = zip(known_dims(source)[2:], dims[2:], kernel.shape[2:], strides, dilations, strict=True)
    missing = [max((n_out - 1) * s + (k - 1) * d + 1 - n_in, 0) for n_in, n_out, k, s, d in sides]
    match node.attributes.get_string("auto_pad", "NOTSET"):
        case "SAME_UPPER":
            pads = [m // 2 for m in missing] + [m - m // 2 for m in missing]
        case "SAME_LOWER":
            pads = [m - m // 2 for m in missing] + [m // 2 for m in missing]
        case _:
            pads = list(get("pads", [0, 0, 0, 0]))
    out = editor.emit(
        "Conv", [source, node.inputs[1], bias], dims, at=node, kernel_shape=list(kernel.shape[2:]), strides=strides,
        pads=pads, dilations=dilations, group=node.attributes.get_int("group", 1),
    )  # fmt: skip
    editor.supersede(node.outputs[0], out)
    return True


LINEAR_RULES = (
    Rule("gemm", ("Gemm",), _gemm),
    Rule("matmul_weight_with_leading_ones", ("MatMul",), _flat_weight),
    Rule("flattened_linear", ("MatMul",), _flat_linear),
    Rule("conv", ("Conv",), _conv),
)
