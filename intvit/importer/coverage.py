"""Say for every node of a canonical graph whether it can be lowered to integers, and why not."""

from dataclasses import dataclass

import onnx_ir as ir

from intvit.importer.model import CanonicalModel, is_helper
from intvit.importer.rewrite import array_of, floats_of, input_of, integers_of, produced_by

_PLAIN = "intvit takes plain ViT/DeiT encoders"
_HINTS = {
    "Sigmoid": "retrain or fine-tune with GELU; quick-GELU and SiLU are not supported yet",
    "Softmax": _PLAIN + "; export attention without mask or relative position bias",
    "Relu": "only GELU is supported as activation",
    "Pad": "windows that need padding (Swin) are not supported; " + _PLAIN,
    "BatchNormalization": "fold batch normalisation into the convolution before exporting",
    "Resize": "export with the fixed image size of the checkpoint, so that position embeddings need no resizing",
    "Where": "export without attention mask",
    "ArgMax": "export the logits and choose the class outside the model",
    "Erf": "this GELU has unusual constants; use torch.nn.GELU",
    "Tanh": "this activation is not the tanh GELU; use torch.nn.GELU(approximate='tanh') or torch.nn.GELU()",
    "Einsum": "write the product with torch.matmul before exporting",
    "Attention": "export attention without mask, cache and grouped heads",
    "Gather": "only constant, consecutive indices are supported",
    "Expand": "only a constant can be repeated, over the batch",
}


@dataclass(frozen=True)
class NodeCoverage:
    """Whether one node of a canonical graph is supported; `reason` and `hint` are empty if it is."""

    node: str
    op_type: str
    supported: bool
    reason: str
    hint: str


def coverage(model: CanonicalModel) -> list[NodeCoverage]:
    """Check every node of a canonical graph against what can be lowered.

    Args:
        model: the result of `import_onnx`.

    Returns:
        One entry a node, in graph order, without the helper nodes of `Expand`.
    """
    return [_check(node) for node in model.model.graph if not is_helper(node)]


def _check(node: ir.Node) -> NodeCoverage:
    op_type = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    check = None if node.domain else _CHECKS.get(node.op_type)
    reason = f"{op_type} has no integer form in intvit" if check is None else check(node)
    if reason and node.op_type == "Mul" and any(_is_sigmoid(v) for v in node.inputs):
        reason = "x * sigmoid(k x) is quick-GELU or SiLU, not GELU"
        return NodeCoverage(node.name or "", op_type, supported=False, reason=reason, hint=_HINTS["Sigmoid"])
    hint = _HINTS.get(node.op_type, _PLAIN) if reason else ""
    return NodeCoverage(node.name or "", op_type, supported=not reason, reason=reason, hint=hint)


def _is_sigmoid(value: ir.Value | None) -> bool:
    node = produced_by(value, "Sigmoid", "Slice")
    return node is not None and (node.op_type == "Sigmoid" or _is_sigmoid(node.inputs[0]))


def _is_constant(node: ir.Node, index: int) -> bool:
    return floats_of(input_of(node, index)) is not None


def _conv(node: ir.Node) -> str:
    kernel, get = floats_of(node.inputs[1]), node.attributes.get_ints
    if kernel is None or kernel.ndim != 4 or not _is_constant(node, 2):
        return "only a two-dimensional convolution with constant kernel and bias is supported"
    if node.attributes.get_int("group", 1) != 1:
        return "a grouped convolution is not supported"
    if set(get("dilations", [1])) != {1} or any(get("pads", [0])):
        return "a convolution with padding or dilation is not a patch embedding"
    is_patch = list(get("strides", [])) == list(kernel.shape[2:])
    return "" if is_patch else "the patches overlap: the stride is not the kernel size"


def _matmul(node: ir.Node) -> str:
    left, right = floats_of(node.inputs[0]), floats_of(node.inputs[1])
    if left is not None:
        return "the constant is the left factor of the product"
    return "the constant factor is not a matrix" if right is not None and right.ndim != 2 else ""


def _mul(node: ir.Node) -> str:
    return "" if _is_constant(node, 1) else "a product of two activations is not supported"


def _layer_norm(node: ir.Node) -> str:
    constants = _is_constant(node, 1) and _is_constant(node, 2)
    return "" if constants and node.attributes.get_int("axis", -1) == -1 else "it is not over the last axis alone"


def _softmax(node: ir.Node) -> str:
    if node.attributes.get_int("axis", -1) != -1:
        return "it is not over the last axis"
    producer = node.inputs[0].producer() if node.inputs[0] is not None else None
    while producer is not None and producer.op_type in ("Mul", "Reshape", "Transpose", "Slice"):
        producer = producer.inputs[0].producer() if producer.inputs[0] is not None else None
    if producer is not None and producer.op_type in ("Add", "Where"):
        return "its input is not a plain product of queries and keys (masks and position biases are not supported yet)"
    return ""


def _reshape(node: ir.Node) -> str:
    return "" if integers_of(input_of(node, 1)) is not None else "the target dims depend on the input"


def _slice(node: ir.Node) -> str:
    bounds = [integers_of(input_of(node, i)) for i in (1, 2, 3, 4)]
    if any(b is None for b in bounds):
        return "the bounds are not constant"
    return "" if bounds[3] == [1] else "the step is not 1"


def _expand(node: ir.Node) -> str:
    target = input_of(node, 1)
    producer = None if target is None else target.producer()
    from_batch = producer is not None and is_helper(producer)
    return "" if _is_constant(node, 0) and from_batch else "it repeats an activation"


def _reduce_mean(node: ir.Node) -> str:
    return "" if integers_of(input_of(node, 1)) else "the axes are not constant"


def _always(node: ir.Node) -> str:
    return "" if all(v is not None for v in node.inputs) else "an input is absent"


def _add(node: ir.Node) -> str:
    integers = array_of(node.inputs[1]) is not None and not _is_constant(node, 1)
    return "a sum of integers is not expected here" if integers else ""


_CHECKS = {
    "Conv": _conv,
    "MatMul": _matmul,
    "Add": _add,
    "Mul": _mul,
    "LayerNormalization": _layer_norm,
    "Gelu": _always,
    "Softmax": _softmax,
    "Reshape": _reshape,
    "Transpose": _always,
    "Slice": _slice,
    "Concat": _always,
    "Expand": _expand,
    "ReduceMean": _reduce_mean,
}
