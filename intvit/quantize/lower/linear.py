"""Linear layers and patch embeddings: fold the input's scales into the weights, quantize them, requantize the output."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from intvit.errors import UnsupportedModelError
from intvit.numerics import S8, S16, S32, U8, Interval, IntType
from intvit.ops import AppendResiduals, Reshape, Transpose
from intvit.quantize.choose import choose_linear_input, wide_codes, wide_limit
from intvit.quantize.encoding import Encoding, per_tensor
from intvit.quantize.input_codes import RESIDUAL_BITS, RESIDUAL_MARGIN, InputCodes
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.emit_linear import emit_linear, last_axis
from intvit.quantize.lower.gelu_form import gelu_input
from intvit.quantize.lower.layer_weights import integer_weights, reader_of
from intvit.quantize.lower.side_branch import emit_with_branch
from intvit.quantize.matmul_operand import choose_matmul_operand, operand_codes
from intvit.quantize.ranges import stream_scale, unsigned_codes
from intvit.quantize.scores import scores_encoding
from intvit.quantize.uses import UseKind

Array = NDArray[Any]
LOGIT_BITS = 20
"""The largest calibrated logit gets about this many bits, which leaves 11 for larger ones."""


def lower_linear(context: Context, layer: LinearLayer) -> None:
    """Lower a linear layer or patch embedding to `Linear`, with a side branch where one is wanted."""
    source = context.values[layer.input]
    if layer.kernel:
        source = _patches(context, layer, source)
    elif source.encoding.dtype.bits > 8 and source.encoding.span is None:
        source = _narrow(context, layer, source)
    name, codes = _left_operand(context, layer, source)
    weights, branch = integer_weights(context, layer, codes)
    encoding = output_encoding(context, layer.output, rank=len(context.graph.shapes[layer.output]))
    if layer.kernel:
        encoding = _reshaped(encoding, 1, 1, 1, -1)
    if branch is None:
        result = emit_linear(context, layer.name, name, weights, encoding)
    else:
        result = emit_with_branch(context, layer.name, name, weights, branch, encoding)
    if layer.kernel:
        result = context.emit(f"{layer.name}.channels_first", Transpose(perm=(0, 3, 1, 2)), result)
        encoding = _reshaped(encoding, 1, -1, 1, 1)
    context.set(layer.output, result, encoding)


def _left_operand(context: Context, layer: LinearLayer, source: Lowered) -> tuple[str, InputCodes]:
    """Return what a layer's product reads in the integer graph, residuals appended where its input has any, and its codes."""
    scale, zero_point = (last_axis(a, len(layer.weight)) for a in (source.encoding.scale, source.encoding.zero_point))
    residuals = _residual_channels(context, layer)
    codes = InputCodes(scale, zero_point, Interval(source.encoding.low, source.encoding.high), residuals)
    if not residuals.size:
        return source.name, codes
    if source.name not in context.appended:
        op = AppendResiduals(bits=RESIDUAL_BITS, channels=tuple(residuals.tolist()))
        context.appended[source.name] = context.emit(f"{layer.input}.residuals", op, source.name)
    return context.appended[source.name], codes


def _residual_channels(context: Context, layer: LinearLayer) -> Array:
    """Return the inputs of a layer that arrive with residuals, int64."""
    if layer.kernel or not context.residuals:
        return np.empty(0, np.int64)
    site, use = reader_of(context, layer)
    return np.flatnonzero(np.isin(site.arriving_columns(use), context.residuals.get(site.value, ())))


def _reshaped(encoding: Encoding, *shape: int) -> Encoding:
    return replace(encoding, scale=encoding.scale.reshape(shape), zero_point=encoding.zero_point.reshape(shape))


def _patches(context: Context, layer: LinearLayer, source: Lowered) -> Lowered:
    """Cut pixels [N, H, W, 3] into rows [N, H/p, W/p, p*p*3]."""
    _, height, width, depth = context.builder.types[source.name].shape
    p = layer.kernel
    name = f"{layer.name}.patches"
    split = context.emit(f"{name}.split", Reshape(shape=(-1, height // p, p, width // p, p, depth)), source.name)
    order = context.emit(f"{name}.order", Transpose(perm=(0, 1, 3, 2, 4, 5)), split)
    rows = context.emit(name, Reshape(shape=(-1, height // p, width // p, p * p * depth)), order)
    scale, zero_point = (
        np.tile(np.broadcast_to(a.reshape(-1), (depth,)), p * p).reshape(1, 1, 1, -1)
        for a in (source.encoding.scale, source.encoding.zero_point)
    )
    return Lowered(rows, Encoding(source.encoding.dtype, scale, zero_point))


def _narrow(context: Context, layer: LinearLayer, source: Lowered) -> Lowered:
    """Requantize a 16-bit stream that feeds a linear layer directly."""
    site, _ = reader_of(context, layer)
    statistics = context.statistics[site.value]
    top = max(abs(float(statistics.low.min())), abs(float(statistics.high.max())), 1e-9)
    encoding = per_tensor(U8, top / 127.5, len(context.graph.shapes[layer.input]), 128)
    return context.requantize(source, layer.input, encoding)


class OutputCodes(TypedDict):
    """The attributes by which a requantizing operator is told its output's codes."""

    to: IntType
    low: int
    high: int
    zero_point: int


def output_codes(encoding: Encoding) -> OutputCodes:
    """Return the output attributes for an encoding of one zero point."""
    zero_point = int(encoding.zero_point.reshape(-1)[0])
    return OutputCodes(to=encoding.dtype, low=encoding.low, high=encoding.high, zero_point=zero_point)


def output_encoding(context: Context, value: str, rank: int, per_channel: bool = True) -> Encoding:
    """Choose how a site is stored, by what it is used for.

    Args:
        context: the lowering's state.
        value: the site.
        rank: of the value.
        per_channel: whether the operator that makes the site can give each channel its own scale and zero point.
    """
    site = context.sites.get(value)
    if site is None:
        raise UnsupportedModelError(
            "no scale can be chosen for this value", where=value, hint="see 'intvit coverage', or report this model"
        )
    if site.stream != value and context.sites[site.stream].kind != UseKind.STREAM:
        return output_encoding(context, site.stream, rank, per_channel)
    statistics = context.statistics[value]
    if site.kind == UseKind.LINEAR:
        if (limit := wide_limit(context, site)) is not None:
            scale, zero_point = wide_codes(context, site, limit)
            return replace(context.site_encoding(site, S16, scale, zero_point), span=Interval(-limit, limit))
        choice = choose_linear_input(context, site, statistics, context.spreads.get(value), per_channel)
        context.note_error(site, choice.error)
        codes = unsigned_codes(context.act_bits(site))
        encoding = replace(context.site_encoding(site, U8, choice.scale, choice.zero_point), span=codes)
        return context.with_residuals(site, encoding, RESIDUAL_MARGIN if per_channel else 1.0)
    if site.kind == UseKind.MATMUL:
        choice = choose_matmul_operand(context, site, statistics)
        context.note_error(site, choice.error)
        codes = operand_codes(context, site)
        dtype = S8 if codes in S8.interval else S16
        return replace(context.site_encoding(site, dtype, choice.scale, choice.zero_point), span=codes)
    if site.kind == UseKind.SCORES:
        return scores_encoding(context.family_reading(site), statistics, rank)
    if site.kind == UseKind.OUTPUT:
        top = max(float(np.abs([statistics.low, statistics.high]).max()), 1e-9)
        return per_tensor(S32, top / (1 << LOGIT_BITS), rank)
    if site.kind == UseKind.GELU:
        return gelu_input(context.family_reading(site), context.recipe.gelu_input_bits, statistics, rank)
    return per_tensor(S16, stream_scale(statistics.low, statistics.high, S16), rank)
