"""Operators as ONNX functions: the definition that travels in every file."""

from __future__ import annotations

import dataclasses
from functools import cache

import onnx
from onnx import parser

from intvit.io.model import DOMAIN, OPSET
from intvit.ir import Op
from intvit.numerics import S8, S16, S32, S64, U8, U16, IntType

ONNX_TYPE: dict[IntType, int] = {
    U8: onnx.TensorProto.UINT8,
    S8: onnx.TensorProto.INT8,
    U16: onnx.TensorProto.UINT16,
    S16: onnx.TensorProto.INT16,
    S32: onnx.TensorProto.INT32,
    S64: onnx.TensorProto.INT64,
}
INT_TYPE: dict[int, IntType] = {number: kind for kind, number in ONNX_TYPE.items()}


@cache
def function_of(op: type[Op]) -> onnx.FunctionProto:
    """Return the ONNX function that defines an operator."""
    attributes = ", ".join(field.name for field in dataclasses.fields(op))  # type: ignore[arg-type]
    head = f'<domain: "{DOMAIN}", opset_import: ["" : {OPSET}]>\n{op.kind()}'
    signature = f" ({', '.join(op.input_names)}) => ({', '.join(op.output_names)})"
    declared = f" <{attributes}>" if attributes else ""
    function = parser.parse_function(f"{head}{declared}{signature} {{\n{op.body}}}")
    function.doc_string = (op.__doc__ or "").strip()
    return function
