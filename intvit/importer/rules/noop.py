"""Nodes that change nothing: Identity, Dropout, float casts, permutations that keep the order, + 0 and * 1."""

import numpy as np
import onnx_ir as ir

from intvit.importer.rewrite import Editor, Rule, dims_of, floats_of, input_of, only_user, produced_by, scalar_of

_KEEPS_ORDER = ("Identity", "Transpose", "Expand", "Dropout", "Cast", "CastLike", "Pad")


def _drop(editor: Editor, node: ir.Node) -> bool:
    source = node.inputs[0]
    return source is not None and _changes_nothing(node) and editor.bypass(node.outputs[0], source)


def _changes_nothing(node: ir.Node) -> bool:
    source, out = node.inputs[0], node.outputs[0]
    match node.op_type:
        case "Identity":
            return True
        case "Dropout":
            return scalar_of(input_of(node, 2)) in (None, 0.0) and not any(o.uses() for o in node.outputs[1:])
        case "Cast" | "CastLike":
            return source is not None and source.dtype == out.dtype
        case "Transpose":
            perm = node.attributes.get_ints("perm", ())
            return len(perm) > 0 and list(perm) == sorted(perm)
        case "Expand":
            return dims_of(source) is not None and dims_of(source) == dims_of(out)
        case "Pad":
            pads = input_of(node, 1)
            return pads is not None and pads.const_value is not None and not pads.const_value.numpy().any()
    return False


def _drop_neutral(editor: Editor, node: ir.Node) -> bool:
    """`x + 0` and `x * 1` with a scalar."""
    source, constant = node.inputs[0], scalar_of(node.inputs[1])
    if source is None or (constant != (0.0 if node.op_type == "Add" else 1.0) and not _is_empty_mask(node)):
        return False
    return dims_of(source) == dims_of(node.outputs[0]) and editor.bypass(node.outputs[0], source)


def _is_empty_mask(node: ir.Node) -> bool:
    """A constant of zeros, added to the logits of a softmax."""
    user, mask = only_user(node.outputs[0]), floats_of(node.inputs[1])
    return node.op_type == "Add" and user is not None and user.op_type == "Softmax" and mask is not None and not mask.any()


def _drop_nan_guard(editor: Editor, node: ir.Node) -> bool:
    """`Where(IsNaN(p), 0, p)` around a softmax of which no row is masked as a whole."""
    probabilities = node.inputs[2]
    test = produced_by(node.inputs[0], "IsNaN")
    softmax = produced_by(probabilities, "Softmax")
    if test is None or softmax is None or probabilities is None or test.inputs[0] is not probabilities:
        return False
    mask = produced_by(softmax.inputs[0], "Add", "Where")
    masked = mask is not None and any(
        array is not None and not np.isfinite(array).all() for array in map(floats_of, mask.inputs)
    )
    return not masked and scalar_of(node.inputs[1]) == 0.0 and editor.bypass(node.outputs[0], probabilities)


NOOP_RULES = (
    Rule("removed_noop", _KEEPS_ORDER, _drop),
    Rule("removed_neutral", ("Add", "Mul"), _drop_neutral),
    Rule("removed_nan_guard", ("Where",), _drop_nan_guard),
)
