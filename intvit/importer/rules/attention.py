"""Write attention as `MatMul`, `Mul`, `Softmax`, `MatMul`."""

import math

import numpy as np
import onnx_ir as ir

from intvit.importer.rewrite import Editor, Rule, array_of, dims_of, known_dims, only_user, produced_by


def _attention(editor: Editor, node: ir.Node) -> bool:
    """The `Attention` operator without mask, cache and soft cap."""
    query, key, value = node.inputs[:3]
    masked = any(v is not None and not _masks_nothing(v) for v in node.inputs[3:])
    extras = masked or any(o.uses() for o in node.outputs[1:])
    causal, cap = node.attributes.get_int("is_causal", 0), node.attributes.get_float("softcap", 0.0)
    ranks = {len(dims_of(v) or ()) for v in (query, key, value)}
    if query is None or key is None or value is None or extras or causal or cap or ranks not in ({3}, {4}):
        return False
    if ranks == {3}:
        heads = node.attributes.get_int("q_num_heads", 1), node.attributes.get_int("kv_num_heads", 1)
        query = _split_heads(editor, node, query, heads[0], "query")
        key = _split_heads(editor, node, key, heads[1], "key")
        value = _split_heads(editor, node, value, heads[1], "value")
    (n, h, rows, d), (_, h_key, columns, _) = known_dims(query), known_dims(key)
    if h != h_key:
        return False
    scale = node.attributes.get_float("scale", None) or 1 / math.sqrt(d)
    factor = editor.constant(np.array(scale, np.float32), f"{node.name}_scale")
    turned = editor.emit("Transpose", [key], (n, h, d, columns), at=node, name="transpose", perm=[0, 1, 3, 2])
    logits = editor.emit("MatMul", [query, turned], (n, h, rows, columns), at=node, name="logits")
    scaled = editor.emit("Mul", [logits, factor], (n, h, rows, columns), at=node, name="scaled")
    weights = editor.emit("Softmax", [scaled], (n, h, rows, columns), at=node, name="softmax", axis=-1)
    dims = (n, h, rows, known_dims(value)[-1])
    if ranks == {4}:
        out = editor.emit("MatMul", [weights, value], dims, at=node)
    else:
        mixed = editor.emit("MatMul", [weights, value], dims, at=node, name="mixed")
        out = _join_heads(editor, node, mixed)
    editor.supersede(node.outputs[0], out)
    return True


def _masks_nothing(value: ir.Value) -> bool:
    mask = array_of(value)
    return mask is not None and bool(mask.all() if mask.dtype == bool else not mask.any())


def _split_heads(editor: Editor, node: ir.Node, value: ir.Value, heads: int, name: str) -> ir.Value:
    n, rows, channels = known_dims(value)
    dims = (n, rows, heads, channels // heads)
    target = editor.integers(dims, f"{node.name}_{name}_dims")
    split = editor.emit("Reshape", [value, target], dims, at=node, name=f"{name}_heads")
    moved = (n, heads, rows, channels // heads)
    return editor.emit("Transpose", [split], moved, at=node, name=f"{name}_transpose", perm=[0, 2, 1, 3])


def _join_heads(editor: Editor, node: ir.Node, value: ir.Value) -> ir.Value:
    n, heads, rows, d = known_dims(value)
    moved = editor.emit("Transpose", [value], (n, rows, heads, d), at=node, name="transpose_back", perm=[0, 2, 1, 3])
    target = editor.integers((n, rows, heads * d), f"{node.name}_dims")
    return editor.emit("Reshape", [moved, target], (n, rows, heads * d), at=node)


def _flat_transpose(editor: Editor, node: ir.Node) -> bool:
    """`[a, b, c, d] -> [ab, c, d] -> [ab, d, c] -> [a, b, d, c]` is one transposition."""
    before = produced_by(node.inputs[0], "Reshape")
    after = only_user(node.outputs[0])
    if before is None or after is None or after.op_type != "Reshape" or only_user(before.outputs[0]) is None:
        return False
    source, out = before.inputs[0], after.outputs[0]
    dims, flat, dims_out = dims_of(source), dims_of(before.outputs[0]), dims_of(out)
    if source is None or dims is None or flat is None or dims_out is None:
        return False
    turned = (*dims[:-2], dims[-1], dims[-2])
    is_flat = len(flat) == 3 and len(dims) > 3 and flat[1:] == dims[-2:] and dims_out == turned
    if not is_flat or list(node.attributes.get_ints("perm", [])) != [0, 2, 1]:
        return False
    rank = len(dims)
    perm = [*range(rank - 2), rank - 1, rank - 2]
    editor.supersede(out, editor.emit("Transpose", [source], turned, at=after, perm=perm))
    return True


def _flat_softmax(editor: Editor, node: ir.Node) -> bool:
    """A softmax between flattening all other axes and restoring them, as opsets before 13 need."""
    before = produced_by(node.inputs[0], "Flatten", "Reshape")
    after = only_user(node.outputs[0])
    if before is None or before.inputs[0] is None or after is None or after.op_type != "Reshape":
        return False
    dims, flat, dims_out = (dims_of(v) for v in (before.inputs[0], node.inputs[0], after.outputs[0]))
    if dims is None or flat is None or dims_out != dims or flat[-1] != dims[-1]:
        return False
    if node.attributes.get_int("axis", -1) not in (-1, len(flat) - 1):
        return False
    out = editor.emit("Softmax", [before.inputs[0]], dims, at=node, axis=-1)
    editor.supersede(after.outputs[0], out)
    return True


def _softmax(_: Editor, node: ir.Node) -> bool:
    """Count the last axis as -1."""
    dims = dims_of(node.inputs[0])
    if dims is None or node.attributes.get_int("axis", -1) not in (-1, len(dims) - 1):
        return False
    node.attributes["axis"] = ir.AttrInt64("axis", -1)
    return True


ATTENTION_RULES = (
    Rule("attention", ("Attention",), _attention),
    Rule("flattened_transpose", ("Transpose",), _flat_transpose),
    Rule("flattened_softmax", ("Softmax",), _flat_softmax),
    Rule("softmax", ("Softmax",), _softmax),
)
