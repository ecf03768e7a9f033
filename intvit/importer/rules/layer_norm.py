"""Recognise layer normalisation over the last axis, fused or written out, with its affine part."""

import numpy as np
import onnx_ir as ir

from intvit.importer.rewrite import (
    Array,
    Editor,
    Rule,
    dims_of,
    floats_of,
    input_of,
    integers_of,
    known_dims,
    only_user,
    produced_by,
    scalar_of,
)


def _decomposed(editor: Editor, node: ir.Node) -> bool:
    """`(x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps)`, with `/ sqrt` in any of its spellings."""
    for centered, scale in ((node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])):
        source = _centered_source(centered)
        variance = _deviation_source(scale) if node.op_type == "Div" else _inverse_deviation_source(scale)
        found = _split_epsilon(variance)
        if source is None or found is None or not _is_variance(found[0], source):
            continue
        channels = known_dims(source)[-1]
        gamma = editor.constant(np.ones(channels, np.float32), f"{node.name}_gamma")
        beta = editor.constant(np.zeros(channels, np.float32), f"{node.name}_beta")
        inputs, dims = [source, gamma, beta], known_dims(source)
        out = editor.emit("LayerNormalization", inputs, dims, at=node, axis=-1, epsilon=found[1])
        editor.supersede(node.outputs[0], out)
        return True
    return False


def _centered_source(value: ir.Value | None) -> ir.Value | None:
    """Return x of `x - mean(x)`."""
    node = produced_by(value, "Sub")
    if node is None or node.inputs[0] is None or dims_of(node.inputs[0]) is None:
        return None
    return node.inputs[0] if _mean_source(node.inputs[1]) is node.inputs[0] else None


def _mean_source(value: ir.Value | None) -> ir.Value | None:
    """Return x of a mean of x over its last axis that keeps the axis."""
    node = produced_by(value, "ReduceMean")
    if node is None or dims_of(node.inputs[0]) is None or node.attributes.get_int("keepdims", 1) != 1:
        return None
    last = len(known_dims(node.inputs[0])) - 1
    return node.inputs[0] if integers_of(input_of(node, 1)) in ([-1], [last]) else None


def _deviation_source(value: ir.Value | None) -> ir.Value | None:
    """Return v of `sqrt(v)`."""
    node = produced_by(value, "Sqrt", "Pow")
    if node is None or (node.op_type == "Pow" and scalar_of(node.inputs[1]) != 0.5):
        return None
    return node.inputs[0]


def _inverse_deviation_source(value: ir.Value | None) -> ir.Value | None:
    """Return v of `1 / sqrt(v)`."""
    node = produced_by(value, "Reciprocal", "Div", "Pow")
    if node is None:
        return None
    if node.op_type == "Pow":
        return node.inputs[0] if scalar_of(node.inputs[1]) == -0.5 else None
    if node.op_type == "Div":
        return _deviation_source(node.inputs[1]) if scalar_of(node.inputs[0]) == 1.0 else None
    return _deviation_source(node.inputs[0])


def _split_epsilon(value: ir.Value | None) -> tuple[ir.Value, float] | None:
    node = produced_by(value, "Add")
    epsilon = None if node is None else scalar_of(node.inputs[1])
    if node is not None and node.inputs[0] is not None and epsilon is not None:
        return node.inputs[0], epsilon
    return None if value is None else (value, 0.0)


def _is_variance(value: ir.Value, source: ir.Value) -> bool:
    square = produced_by(_mean_source(value), "Pow", "Mul")
    if square is None or _centered_source(square.inputs[0]) is not source:
        return False
    if square.op_type == "Pow":
        return scalar_of(square.inputs[1]) == 2.0
    return _centered_source(square.inputs[1]) is source


def _fused(editor: Editor, node: ir.Node) -> bool:
    """Give a fused node over the last axis its two constants and no optional outputs."""
    source, gamma = node.inputs[0], floats_of(node.inputs[1])
    dims = dims_of(source)
    if source is None or dims is None or gamma is None or gamma.shape != dims[-1:]:
        return False
    beta = input_of(node, 2)
    if node.attributes.get_int("axis", -1) not in (-1, len(dims) - 1) or any(o.uses() for o in node.outputs[1:]):
        return False
    if beta is None:
        beta = editor.constant(np.zeros_like(gamma), f"{node.name}_beta")
    epsilon = node.attributes.get_float("epsilon", 1e-5)
    inputs = [source, node.inputs[1], beta]
    out = editor.emit("LayerNormalization", inputs, dims, at=node, axis=-1, epsilon=epsilon)
    editor.supersede(node.outputs[0], out)
    return True


def _fold_affine(editor: Editor, node: ir.Node) -> bool:
    """Take a following `* gamma` or `+ beta` into the node."""
    after = only_user(node.outputs[0])
    if after is None or after.op_type not in ("Add", "Mul") or after.inputs[0] is not node.outputs[0]:
        return False
    gamma, beta, factor = floats_of(node.inputs[1]), floats_of(node.inputs[2]), floats_of(after.inputs[1])
    if gamma is None or beta is None or factor is None or factor.shape not in ((), (1,), gamma.shape):
        return False
    same = after.inputs[1] if factor.shape == gamma.shape else None
    if after.op_type == "Mul":
        keep = same if np.all(gamma == 1) else None
        node.replace_input_with(1, keep or _new(editor, node, "weight", gamma * factor))
        node.replace_input_with(2, _new(editor, node, "bias", beta * factor) if np.any(beta) else node.inputs[2])
    else:
        keep = None if np.any(beta) else same
        node.replace_input_with(2, keep or _new(editor, node, "bias", beta + factor))
    return editor.bypass(after.outputs[0], node.outputs[0])


def _new(editor: Editor, node: ir.Node, role: str, array: Array) -> ir.Value:
    return editor.constant(array, f"{node.name}_{role}")


LAYER_NORM_RULES = (
    Rule("layer_norm_fused", ("LayerNormalization",), _fused),
    Rule("layer_norm_decomposed", ("Div", "Mul"), _decomposed),
    Rule("layer_norm_gamma", ("LayerNormalization",), _fold_affine),
    Rule("layer_norm_beta", ("LayerNormalization",), _fold_affine),
)
