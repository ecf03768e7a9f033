"""Make every float tensor of a graph float32."""

import numpy as np
import onnx_ir as ir

_OTHERS = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.DOUBLE)


def to_float32(model: ir.Model) -> int:
    """Convert float16, bfloat16 and float64 weights, values and casts to float32, in place.

    Returns:
        How many weights were converted.
    """
    count = 0
    for value in model.graph.initializers.values():
        if value.const_value is not None and value.const_value.dtype in _OTHERS:
            array = value.const_value.numpy().astype(np.float32)
            value.const_value = ir.tensor(array, name=value.name)
            value.dtype = ir.DataType.FLOAT
            count += 1
    for value in model.graph.inputs:
        _retype(value)
    for node in model.graph.all_nodes():
        for value in node.outputs:
            _retype(value)
        _retype_attributes(node)
    return count


def _retype(value: ir.Value) -> None:
    if value.dtype in _OTHERS:
        value.dtype = ir.DataType.FLOAT


def _retype_attributes(node: ir.Node) -> None:
    for name, attr in tuple(node.attributes.items()):
        if attr.type == ir.AttributeType.TENSOR and attr.value.dtype in _OTHERS:
            array = attr.value.numpy().astype(np.float32)
            node.attributes[name] = ir.AttrTensor(name, ir.tensor(array))
        elif name in ("to", "dtype") and attr.type == ir.AttributeType.INT and attr.value in _OTHERS:
            node.attributes[name] = ir.AttrInt64(name, int(ir.DataType.FLOAT))
