"""Sums, means and joins of streams."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from intvit.errors import UnsupportedModelError
from intvit.numerics import S16, Dyadic, common_shift
from intvit.ops import Add, Concat, Expand, Mean, Reshape
from intvit.quantize.encoding import Encoding, per_tensor
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.linear import output_codes, output_encoding
from intvit.quantize.lower.movement import target_shape
from intvit.quantize.lower.pixels import PIXELS


def operand(context: Context, value: str, like: Encoding | None = None) -> Lowered:
    """Return a stream, or a constant written as s16 on its own scale (or in the per-tensor encoding `like`)."""
    if not context.graph.is_constant(value):
        return context.stream(value)
    array = context.graph.constants[value].astype(np.float64)
    encoding = per_tensor(S16, max(float(np.abs(array).max()), 1e-9) / S16.high, array.ndim)
    if like is not None:
        scale, zero_point = float(like.scale.reshape(-1)[0]), int(like.zero_point.reshape(-1)[0])
        encoding = per_tensor(like.dtype, scale, array.ndim, zero_point)
    name = context.builder.constant(value, encoding.codes(array).astype(encoding.dtype.dtype))
    return Lowered(name, encoding)


def lower_add(context: Context, node: FloatNode) -> None:
    """Lower a sum of two streams, or of a stream and a constant."""
    a, b = (operand(context, value) for value in node.inputs)
    encoding = output_encoding(context, node.output, len(context.graph.shapes[node.output]), per_channel=False)
    step = float(encoding.scale.reshape(-1)[0])
    ratios = [Fraction(float(x.encoding.scale.reshape(-1)[0]) / step) for x in (a, b)]
    (multiplier_a, multiplier_b), shift = common_shift(ratios)
    op = Add(multiplier_a=multiplier_a, multiplier_b=multiplier_b, shift=shift, **output_codes(encoding))
    context.set(node.output, context.emit(node.name, op, a.name, b.name), encoding)


def lower_mean(context: Context, node: FloatNode) -> None:
    """Lower `ReduceMean` (global average pooling)."""
    source = context.stream(node.inputs[0])
    shape = context.graph.shapes[node.inputs[0]]
    axes = tuple(int(a) % len(shape) for a in context.graph.constants[node.inputs[1]].reshape(-1))
    encoding = output_encoding(context, node.output, len(context.graph.shapes[node.output]), per_channel=False)
    step = float(encoding.scale.reshape(-1)[0])
    ratio = float(source.encoding.scale.reshape(-1)[0]) / step / math.prod(shape[a] for a in axes)
    dyadic = Dyadic.nearest(ratio)
    op = Mean(axes=axes, multiplier=dyadic.multiplier, shift=dyadic.shift, **output_codes(encoding))
    name = context.emit(node.name, op, source.name)
    if not node.attributes.get("keepdims", 1):
        name = context.emit(f"{node.name}.squeeze", Reshape(shape=target_shape(context.graph, node.output)), name)
    context.set(node.output, name, encoding)


def lower_concat(context: Context, node: FloatNode) -> None:
    """Lower `Concat`: all parts are brought to the result's scale."""
    encoding = output_encoding(context, node.output, len(context.graph.shapes[node.output]), per_channel=False)
    axis = int(node.attributes["axis"]) % len(context.graph.shapes[node.output])
    parts = [_part(context, value, encoding) for value in node.inputs]
    result = parts[0]
    for i, part in enumerate(parts[1:]):
        name = node.name if i == len(parts) - 2 else f"{node.name}.{i}"
        result = context.emit(name, Concat(axis=axis), result, part)
    context.set(node.output, result, encoding)


def _part(context: Context, value: str, encoding: Encoding) -> str:
    expanded = {n.output: n for n in context.graph.nodes if n.op == "Expand"}.get(value)
    if expanded is not None:
        constant = operand(context, expanded.inputs[0], encoding)
        if context.graph.batch_axes[value] != 0:
            raise UnsupportedModelError(
                "a constant is repeated along another axis than the first",
                where=expanded.name,
                hint="please report this model",
            )
        return context.emit(expanded.name, Expand(), constant.name, PIXELS)
    lowered = context.values.get(value) or operand(context, value, encoding)
    if lowered.encoding.agrees_with(encoding):
        return lowered.name
    return context.requantize(operand(context, value, encoding), value, encoding).name
