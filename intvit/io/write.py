"""From an integer model to the bytes of an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from intvit.files import write_atomically
from intvit.io.four_bits import four_bit_constants, pack
from intvit.io.functions import ONNX_TYPE, function_of
from intvit.io.model import DOMAIN, IR_VERSION, OPSET, IntegerModel
from intvit.ir import Node, TensorType, check_graph
from intvit.numerics import IntType

PRODUCER = "intvit"


def save_model(model: IntegerModel, path: str | Path) -> None:
    """Write a model to `path`: either all of it or nothing.

    Raises:
        GraphError: the graph has faults.
        OutputFileError: the file can't be written.
    """
    write_atomically(Path(path), model_to_bytes(model))


def model_to_bytes(model: IntegerModel) -> bytes:
    """Return the file's content; the same model always gives the same bytes."""
    data: bytes = model_to_proto(model).SerializeToString(deterministic=True)
    return data


def model_to_proto(model: IntegerModel) -> onnx.ModelProto:
    """Return a model as an ONNX model with one function for every operator it uses.

    Raises:
        GraphError: the graph has faults.
    """
    graph = model.graph
    types = check_graph(graph)
    four_bits = four_bit_constants(graph)
    made = [name for node in graph.nodes for name in node.outputs if name not in graph.outputs]
    proto = helper.make_graph(
        [_node(node) for node in graph.nodes],
        "integer_vit",
        [_value(name, kind) for name, kind in graph.inputs.items()],
        [_value(name, types[name]) for name in graph.outputs],
        [_tensor(name, array, name in four_bits) for name, array in graph.constants.items()],
        value_info=[_value(name, types[name]) for name in made],
    )
    used = {type(node.op).kind(): type(node.op) for node in graph.nodes}
    result = helper.make_model(
        proto,
        producer_name=PRODUCER,
        producer_version=model.info.tool_version,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(DOMAIN, 1)],
        functions=[function_of(used[kind]) for kind in sorted(used)],
    )
    helper.set_model_props(result, model.info.to_properties())
    return result


def _node(node: Node) -> onnx.NodeProto:
    proto = helper.make_node(node.op.kind(), node.inputs, node.outputs, name=node.name, domain=DOMAIN)
    for name, value in node.op.attributes().items():
        kind = onnx.AttributeProto.INTS if isinstance(value, tuple) else onnx.AttributeProto.INT
        number = ONNX_TYPE[value] if isinstance(value, IntType) else value
        proto.attribute.append(helper.make_attribute(name, number, attr_type=kind))
    for key, text in node.metadata.items():
        proto.metadata_props.add(key=key, value=text)
    return proto


def _value(name: str, kind: TensorType) -> onnx.ValueInfoProto:
    shape: list[int | str] = list(kind.shape)
    if kind.batch_axis is not None:
        d = kind.shape[kind.batch_axis]
        shape[kind.batch_axis] = "N" if d == 1 else f"{d}*N"
    return helper.make_tensor_value_info(name, ONNX_TYPE[kind.dtype], shape)


def _tensor(name: str, array: NDArray[Any], four_bits: bool) -> onnx.TensorProto:
    if four_bits:
        return helper.make_tensor(name, onnx.TensorProto.INT4, array.shape, pack(array).tobytes(), raw=True)
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return helper.make_tensor(name, ONNX_TYPE[IntType.of(array.dtype)], array.shape, little.tobytes(), raw=True)
