"""From the bytes of an ONNX file to an integer model; trusts nothing that it reads."""

from __future__ import annotations

import dataclasses
import io
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from intvit.errors import InputFileError
from intvit.files import open_file
from intvit.io.four_bits import misplaced, unpack
from intvit.io.functions import INT_TYPE, ONNX_TYPE, function_of
from intvit.io.model import DOMAIN, FORMAT_VERSION, IntegerModel, ModelInfo
from intvit.io.wire import Span, read_exactly, read_model
from intvit.ir import Graph, Node, Op, TensorType, certify, check_graph
from intvit.numerics import S4, IntType
from intvit.ops import OPS

MAX_FILE_BYTES = 2 << 30
_CONVERT = "make it with 'intvit quantize FLOAT.onnx --calib DIR -o MODEL.onnx'"


def load_model(path: str | Path) -> IntegerModel:
    """Read an integer model, check its graph and prove again that nothing in it can overflow.

    Raises:
        InputFileError: the file is missing, damaged, or not an integer model.
        GraphError: the graph has faults.
        CheckFailed: an intermediate could overflow.
        ResourceLimitError: the file is larger than 2 GiB.
    """
    with open_file(path, MAX_FILE_BYTES) as (stream, size):
        return _load(stream, size, str(path))


def model_from_bytes(data: bytes, where: str = "model") -> IntegerModel:
    """Read an integer model from memory; raises what `load_model` raises."""
    return _load(io.BytesIO(data), len(data), where)


def _load(stream: io.BufferedIOBase, size: int, where: str) -> IntegerModel:
    try:
        proto, spans = read_model(stream, size)
    except DecodeError:
        raise _error(where, "is not an ONNX file, or is cut short", found=f"{size} bytes") from None
    _check_text(proto, where)
    properties = {p.key: p.value for p in proto.metadata_props}
    _check_format(proto, properties, where)
    _check_functions(proto, where)
    graph = _graph(proto.graph, spans, stream, where)
    _check_defined(proto, where)
    types = check_graph(graph)
    _check_outputs(proto.graph, types, where)
    _check_four_bits(proto.graph, graph, where)
    try:
        info = ModelInfo.from_properties(properties)
    except (ValueError, ZeroDivisionError) as error:
        raise _error(where, f"has damaged metadata: {error}") from None
    certify(graph, types).require()
    return IntegerModel(graph, info)


def _error(where: str, message: str, expected: str | None = None, found: str | None = None) -> InputFileError:
    return InputFileError(message, where=where, expected=expected, found=found, hint=_CONVERT)


def _check_format(proto: onnx.ModelProto, properties: dict[str, str], where: str) -> None:
    version = properties.get("intvit.format_version")
    if version is None:
        kind = f"an ONNX model by {proto.producer_name or 'an unknown producer'}" if proto.graph.node else "no ONNX graph"
        raise _error(where, "is not an integer model", "an ONNX file written by intvit", kind)
    if version != str(FORMAT_VERSION):
        raise InputFileError(
            "has a format that this version does not read",
            where=where,
            expected=f"format version {FORMAT_VERSION}",
            found=f"format version {version}",
            hint="install the intvit version that wrote it, or convert the float model again",
        )


def _check_functions(proto: onnx.ModelProto, where: str) -> None:
    """An operator means what its body says, so a file that defines one in another way must not be run as ours.

    Its documentation may be that of another version.
    """
    for function in proto.functions:
        op = OPS.get(function.name)
        if function.domain != DOMAIN or op is None:
            raise _error(where, f"defines an unknown operator {function.domain}.{function.name}")
        if _undocumented(function) != _undocumented(function_of(op)):
            raise _error(where, f"defines {function.name} in another way than this version does")


def _undocumented(function: onnx.FunctionProto) -> onnx.FunctionProto:
    copy = onnx.FunctionProto()
    copy.CopyFrom(function)
    copy.ClearField("doc_string")
    return copy


def _check_defined(proto: onnx.ModelProto, where: str) -> None:
    defined = sorted(function.name for function in proto.functions)
    used = sorted({node.op_type for node in proto.graph.node})
    if defined != used:
        raise _error(where, "must define each operator that it uses once", ", ".join(used), ", ".join(defined))


def _check_text(proto: onnx.ModelProto, where: str) -> None:
    """Protobuf gives bytes for text that is not UTF-8."""
    graph = proto.graph
    texts: list[object] = [v.name for group in (graph.input, graph.output, graph.initializer, proto.functions) for v in group]
    for node in graph.node:
        texts += [node.name, node.op_type, node.domain, *node.input, *node.output, *(a.name for a in node.attribute)]
    for entry in (*proto.metadata_props, *(p for node in graph.node for p in node.metadata_props)):
        texts += [entry.key, entry.value]
    if not all(isinstance(text, str) for text in texts):
        raise _error(where, "holds a name or text that is not UTF-8")


def _check_outputs(proto: onnx.GraphProto, types: Mapping[str, TensorType], where: str) -> None:
    for value in proto.output:
        if ONNX_TYPE[types[value.name].dtype] != value.type.tensor_type.elem_type:
            raise _error(where, f"output {value.name!r} is declared in another type than it has", str(types[value.name]))


def _check_four_bits(proto: onnx.GraphProto, graph: Graph, where: str) -> None:
    """Others run the file as it is typed, and most operators of ONNX do not take four bits."""
    if names := misplaced(graph, {t.name for t in proto.initializer if t.data_type == onnx.TensorProto.INT4}):
        raise _error(where, f"constant {names[0]!r} is stored in four bits", "weights only in four bits")


def _graph(proto: onnx.GraphProto, spans: Sequence[Span], stream: io.BufferedIOBase, where: str) -> Graph:
    if proto.sparse_initializer or any(len(n.attribute) and n.domain != DOMAIN for n in proto.node):
        raise _error(where, "holds more than operators of the domain ai.intvit")
    for group in (proto.input, proto.initializer):
        if twice := [name for name, count in Counter(v.name for v in group).items() if count > 1]:
            raise _error(where, f"defines {twice[0]!r} more than once")
    return Graph(
        inputs={v.name: _type(v, where) for v in proto.input},
        outputs=tuple(v.name for v in proto.output),
        constants={t.name: _array(t, span, stream, where) for t, span in zip(proto.initializer, spans, strict=True)},
        nodes=tuple(_node(n, where) for n in proto.node),
    )


def _type(value: onnx.ValueInfoProto, where: str) -> TensorType:
    tensor = value.type.tensor_type
    if tensor.elem_type not in INT_TYPE:
        raise _error(where, f"input {value.name!r} is not an integer tensor")
    batch = [i for i, d in enumerate(tensor.shape.dim) if d.dim_param]
    shape = tuple(_rows(d.dim_param) if d.dim_param else d.dim_value for d in tensor.shape.dim)
    if len(batch) > 1 or any(d < 1 for d in shape):
        raise _error(where, f"input {value.name!r} must have fixed dimensions besides the batch")
    return TensorType(INT_TYPE[tensor.elem_type], shape, batch[0] if batch else None)


def _rows(label: str) -> int:
    """Return k for a batch dimension written `k*N`, 1 for `N` and 0 for anything else."""
    match = re.fullmatch(r"(?:([0-9]{1,9})\*)?N", label)
    return int(match[1] or 1) if match else 0


def _array(tensor: onnx.TensorProto, raw: Span, stream: io.BufferedIOBase, where: str) -> NDArray[Any]:
    """Read a constant, whose bytes lie at `raw`."""
    name = f"constant {tensor.name!r}"
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise _error(where, f"{name} lies in another file", "all constants inside the file")
    kind = S4 if tensor.data_type == onnx.TensorProto.INT4 else INT_TYPE.get(tensor.data_type)
    if kind is None:
        raise _error(where, f"{name} is not an integer tensor")
    shape = tuple(tensor.dims)
    count = math.prod(shape)
    expected = -(-count * kind.bits // 8)
    if any(d < 1 for d in shape) or raw.length != expected:
        raise _error(where, f"{name} is damaged", f"{expected} bytes for {shape}", f"{raw.length} bytes")
    data = np.empty(expected, np.uint8)
    try:
        read_exactly(stream, raw, data.data)
        array = unpack(data, count) if kind == S4 else data.view(kind.dtype.newbyteorder("<")).astype(kind.dtype, copy=False)
    except DecodeError:
        raise _error(where, f"{name} is cut short", f"{expected} bytes for {shape}") from None
    except ValueError as error:
        raise _error(where, f"{name} is damaged: {error}") from None
    array = array.reshape(shape)
    array.setflags(write=False)
    return array


def _node(proto: onnx.NodeProto, where: str) -> Node:
    op = OPS.get(proto.op_type)
    if proto.domain != DOMAIN or op is None:
        raise _error(where, f"node {proto.name!r} uses the unknown operator {proto.domain or 'ai.onnx'}.{proto.op_type}")
    metadata = {p.key: p.value for p in proto.metadata_props}
    return Node(proto.name, _op(op, proto, where), tuple(proto.input), tuple(proto.output), metadata)


def _op(op: type[Op], proto: onnx.NodeProto, where: str) -> Op:
    found = {a.name: a for a in proto.attribute}
    fields = {f.name: f.type for f in dataclasses.fields(op)}  # type: ignore[arg-type]
    if found.keys() != fields.keys():
        raise _error(where, f"node {proto.name!r} has the wrong attributes", ", ".join(fields), ", ".join(found))
    values: dict[str, int | tuple[int, ...] | IntType] = {}
    for name, kind in fields.items():
        attribute = found[name]
        wanted = onnx.AttributeProto.INTS if str(kind).startswith("tuple") else onnx.AttributeProto.INT
        if attribute.type != wanted or (kind == "IntType" and attribute.i not in INT_TYPE):
            raise _error(where, f"node {proto.name!r} has a damaged attribute {name!r}")
        is_tuple = wanted == onnx.AttributeProto.INTS
        values[name] = tuple(attribute.ints) if is_tuple else INT_TYPE[attribute.i] if kind == "IntType" else attribute.i
    return op(**values)
