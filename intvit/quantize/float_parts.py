"""Running the rest of the float model, from one of its values to the outputs."""

from __future__ import annotations

from typing import Any

import onnx

from intvit.quantize.calibrate import open_session


def rest_after(proto: onnx.ModelProto, value: str) -> tuple[Any, list[str]]:
    """Return a session on the nodes that come after a value's, and the values that it takes, `value` among them."""
    crossing = crossing_after(proto, value)
    nodes = proto.graph.node[_end(proto, value) :]
    read = {name for node in nodes for name in node.input}
    part = onnx.helper.make_graph(
        nodes, "rest", [_float(name) for name in crossing], [_float(v.name) for v in proto.graph.output],
        [constant for constant in proto.graph.initializer if constant.name in read],
    )  # fmt: skip
    model = onnx.helper.make_model(part, opset_imports=proto.opset_import, ir_version=proto.ir_version)
    return open_session(model), crossing


def crossing_after(proto: onnx.ModelProto, value: str) -> list[str]:
    """Return what is made up to a value, and read by the nodes after it or an output of the model."""
    nodes, end = list(proto.graph.node), _end(proto, value)
    made = {name for node in nodes[:end] for name in node.output} | {v.name for v in proto.graph.input}
    read = {name for node in nodes[end:] for name in node.input}
    return sorted(made & (read | {v.name for v in proto.graph.output}))


def _end(proto: onnx.ModelProto, value: str) -> int:
    """Return the place right after the node that makes a value."""
    return next(i for i, node in enumerate(proto.graph.node) if value in node.output) + 1


def _float(name: str) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
