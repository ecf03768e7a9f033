"""The file holds no floating-point type: every tensor, attribute and cast of the graph and of its functions is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, TensorProto

from intvit.errors import InputFileError

INTEGERS = frozenset(
    {
        TensorProto.BOOL,
        TensorProto.INT4,
        TensorProto.INT8,
        TensorProto.INT16,
        TensorProto.INT32,
        TensorProto.INT64,
        TensorProto.UINT8,
        TensorProto.UINT16,
        TensorProto.UINT32,
        TensorProto.UINT64,
    }
)
"""The element types that may occur."""

OPERATORS = frozenset(
    [
        "Abs",
        "Add",
        "And",
        "BitShift",
        "BitwiseAnd",
        "BitwiseNot",
        "BitwiseOr",
        "BitwiseXor",
        "Cast",
        "Clip",
        "Concat",
        "Constant",
        "ConvInteger",
        "Div",
        "Equal",
        "Expand",
        "Gather",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Less",
        "LessOrEqual",
        "MatMul",
        "MatMulInteger",
        "Max",
        "Min",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pad",
        "Range",
        "ReduceMax",
        "ReduceMin",
        "ReduceSum",
        "Reshape",
        "Shape",
        "Sign",
        "Size",
        "Slice",
        "Split",
        "Squeeze",
        "Sub",
        "Transpose",
        "Unsqueeze",
        "Where",
        "Xor",
    ]
)
"""The standard operators that give integers from integers, exactly; a body may use no other."""

_TYPE_ATTRIBUTES = frozenset({"to", "dtype"})
_INTEGER_KINDS = frozenset({AttributeProto.INT, AttributeProto.INTS})


@dataclass(frozen=True)
class FloatFree:
    """What the search found.

    Attributes:
        findings: a sentence for each place where a float is or could be made.
        tensors: how many typed tensors were looked at.
        operators: how many operators were looked at, those in functions included.
    """

    findings: tuple[str, ...]
    tensors: int
    operators: int

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def check_float_free(data: bytes) -> FloatFree:
    """Search a model file for floats.

    Args:
        data: the file's bytes.

    Raises:
        InputFileError: they are no ONNX model.
    """
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise InputFileError("is not an ONNX file, or is cut short", found=f"{len(data)} bytes") from error
    graph = model.graph
    typed = [*graph.input, *graph.output, *graph.value_info, *(v for f in model.functions for v in f.value_info)]
    findings = list(_containers(model))
    findings += [finding for value in typed for finding in _value(value)]
    findings += [finding for tensor in graph.initializer for finding in _tensor(tensor, f"constant {tensor.name!r}")]
    defined = {(f.domain, f.name) for f in model.functions}
    nodes = [(f"node {node.name!r}", node) for node in graph.node]
    nodes += [
        (f"function {f.name}, {node.op_type} making {list(node.output)}", node) for f in model.functions for node in f.node
    ]
    for where, node in nodes:
        findings += _node(node, where, defined)
    for function in model.functions:
        findings += [f for a in function.attribute_proto for f in _attribute(a, f"function {function.name}")]
    return FloatFree(tuple(findings), len(typed) + len(graph.initializer), len(nodes))


def _containers(model: onnx.ModelProto) -> Iterator[str]:
    """Find the parts of a file that an integer model has no use for and that could hide a float."""
    if model.training_info:
        yield "the file holds training information"
    if model.graph.sparse_initializer:
        yield "the graph holds sparse constants"
    if model.graph.quantization_annotation:
        yield "the graph holds quantization annotations"


def _value(value: onnx.ValueInfoProto) -> Iterator[str]:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        yield f"value {value.name!r} is not a tensor"
    elif value.type.tensor_type.elem_type not in INTEGERS:
        yield f"value {value.name!r} is {_type_name(value.type.tensor_type.elem_type)}"


def _tensor(tensor: onnx.TensorProto, where: str) -> Iterator[str]:
    if tensor.data_type not in INTEGERS:
        yield f"{where} is {_type_name(tensor.data_type)}"
    if tensor.float_data or tensor.double_data:
        yield f"{where} holds float data"


def _node(node: onnx.NodeProto, where: str, defined: set[tuple[str, str]]) -> Iterator[str]:
    if (node.domain, node.op_type) not in defined and (node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS):
        yield f"{where}: {node.domain or 'ai.onnx'}.{node.op_type} is not known to be an integer operator"
    for attribute in node.attribute:
        yield from _attribute(attribute, where)


def _attribute(attribute: onnx.AttributeProto, where: str) -> Iterator[str]:
    at = f"{where}, attribute {attribute.name!r}"
    if attribute.type == AttributeProto.TENSOR:
        yield from _tensor(attribute.t, at)
    elif attribute.type not in _INTEGER_KINDS and not _is_direction(attribute):
        yield f"{at} is of type {AttributeProto.AttributeType.Name(attribute.type)}"
    elif attribute.name in _TYPE_ATTRIBUTES and not attribute.ref_attr_name and attribute.i not in INTEGERS:
        yield f"{at} casts to {_type_name(attribute.i)}"


def _is_direction(attribute: onnx.AttributeProto) -> bool:
    return attribute.type == AttributeProto.STRING and attribute.name == "direction"


def _type_name(number: int) -> str:
    names = {v: k for k, v in TensorProto.DataType.items()}
    return f"of type {names.get(number, number)}"
