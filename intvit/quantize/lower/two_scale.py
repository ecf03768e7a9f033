"""TSPTQ-ViT's two-scale codes after softmax and GELU, and its outlier channels before LayerNorm (arXiv 2305.12901)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Op
from intvit.numerics import S8, S16, S32, U8, Dyadic, Interval, common_shift
from intvit.ops import Requantize, SoftmaxTwoScale, TwoScaleDecode, TwoScaleEncode
from intvit.ops.gelu import VALUE_BITS
from intvit.ops.two_scale import encode, top_value
from intvit.quantize.choose import ACCUMULATOR_SHARE, wide_limit
from intvit.quantize.encoding import Encoding, per_tensor
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context, Lowered, RowSum
from intvit.quantize.lower.deferred_softmax import TABLE_STEPS
from intvit.quantize.ranges import unsigned_codes
from intvit.quantize.two_scale import TwoScale, select_outliers, select_output_outliers, select_two_scale
from intvit.quantize.uses import UseKind

Array = NDArray[Any]


def emit_softmax(context: Context, name: str, inputs: tuple[str, str], shift: int, coarse_shift: int) -> tuple[str, RowSum]:
    """Emit softmax's exponentials in two-scale codes, and their values.

    Args:
        context: the lowering's state.
        name: of the node.
        inputs: the s32 scores, and the constant multipliers by which distances count `TABLE_STEPS` for each factor of e.
        shift: of those multipliers.
        coarse_shift: of the codes.

    Returns:
        The name of the values, s16, and their row sums.
    """
    bits = context.recipe.act_bits
    table = context.builder.constant(f"{name}.table", exponential_codes(bits, coarse_shift))
    op = SoftmaxTwoScale(shift=shift, bits=bits, coarse_shift=coarse_shift)
    codes, row_sum = context.builder.add(name, op, *inputs, table)
    sums = RowSum(row_sum, top_value(bits, coarse_shift))
    return context.emit(f"{name}.decode", TwoScaleDecode(bits=bits, coarse_shift=coarse_shift), codes), sums


def exponential_codes(bits: int, coarse_shift: int) -> Array:
    """Return the codes of `exp(-i / TABLE_STEPS)`, u8, up to the first that is zero."""
    top = top_value(bits, coarse_shift)
    entries = int(TABLE_STEPS * np.log(2 * top)) + 2
    values = np.floor(top * np.exp(-np.arange(entries) / TABLE_STEPS) + 0.5)
    return encode(values.astype(np.int64), bits, coarse_shift).astype(np.uint8)


def two_scale_reader(context: Context, value: str) -> LinearLayer | None:
    """Return the linear layer that alone reads a GELU's output, if that is to be stored in two-scale codes."""
    site = context.sites.get(value)
    if not context.recipe.two_scale_gelu or site is None or len(site.uses) != 1:
        return None
    (use,) = site.uses
    return context.layers[use.node.name] if use.kind == UseKind.LINEAR and use.node is not None else None


def encode_gelu(context: Context, node: FloatNode, value: str, reader: LinearLayer) -> None:
    """Encode a GELU's s32 value of 15 fraction bits in two-scale codes for the layer that reads it.

    Args:
        context: the lowering's state.
        node: the GELU.
        value: its s32 value in the integer graph.
        reader: the layer.
    """
    site, seen = context.sites[node.output], context.statistics[node.output]
    low, high, bits = float(seen.low.min()), float(seen.high.max()), context.act_bits(site)
    codes = select_two_scale(seen.samples, reader.weight, low, high, bits, _accumulator_limit(reader))
    context.note_error(site, _relative_error(codes, seen.samples))
    layout = {"bits": codes.bits, "coarse_shift": codes.coarse_shift}
    dyadic = Dyadic.nearest(Fraction(1, 1 << VALUE_BITS) / Fraction(codes.scale))
    op = TwoScaleEncode(**layout, multiplier=dyadic.multiplier, shift=dyadic.shift, zero_point=codes.zero_point)
    stored = context.emit(f"{node.name}.encode", op, value)
    name = context.emit(f"{node.name}.decode", TwoScaleDecode(**layout), stored)
    channels = np.ones(site.channels)
    encoding = context.site_encoding(site, S16, channels * codes.scale, channels * codes.zero_point)
    context.set(node.output, name, replace(encoding, span=Interval(0, codes.top)))


def _accumulator_limit(reader: LinearLayer) -> int:
    """Return how large 16-bit inputs of a layer may be, whatever the scales of its weights."""
    size = np.abs(reader.weight)
    heaviest = float((size.sum(0) / np.maximum(size.max(0), 1e-30)).max()) * S8.high
    return int(S32.high * ACCUMULATOR_SHARE / max(heaviest, 1.0))


def _relative_error(codes: TwoScale, samples: Array) -> float:
    real = samples.astype(np.float64)
    return float(((codes.rounded(real) - real) ** 2).sum()) / (float((real**2).sum()) + 1e-30)


def narrow_layer_norm_input(context: Context, node: FloatNode, source: Lowered, gamma: Array) -> Lowered:
    """Return a LayerNorm's input stored in few bits, its outlier channels on a larger scale, then aligned by shifts (O-2SF).

    A value that calibration did not see as it is, such as a slice for the class token, keeps its 16 bits.
    """
    value, bits = node.inputs[0], context.recipe.norm_input_bits
    if value not in context.statistics:
        return source
    seen = context.statistics[value]
    scales = select_outliers(seen.samples, np.maximum(-seen.low, seen.high), gamma, bits)
    step = float(source.encoding.scale.reshape(-1)[0])
    ratios = [Fraction(step / (scales.scale * 2.0**shift)) for shift in scales.shifts.tolist()]
    multipliers, shift = common_shift(ratios)
    half = 1 << (bits - 1)
    narrow: Op = Requantize(to=S8, low=-half, high=half - 1, shift=shift)
    factors = context.builder.constant(f"{node.name}.narrow.multiplier", np.array(multipliers, np.int32))
    stored = context.emit(f"{node.name}.narrow", narrow, source.name, factors)
    if not scales.outlier.any():
        return Lowered(stored, _same_rank(source.encoding, scales.scale, S8))
    shifts = context.builder.constant(f"{node.name}.align.multiplier", (4 << scales.shifts).astype(np.int32))
    align = Requantize(to=S16, low=S16.low, high=S16.high, shift=2)
    aligned = context.emit(f"{node.name}.align", align, stored, shifts)
    return Lowered(aligned, _same_rank(source.encoding, scales.scale, S16))


def outlier_output_encoding(context: Context, value: str) -> Encoding | None:
    """Return the two-scaled encoding of a LayerNorm's output that linear layers read; None where channels can't differ.

    The larger scale of the outlier channels is folded into the layers' weights, as every scale of their input is.
    """
    site = context.sites.get(value)
    if site is None or site.kind != UseKind.LINEAR or len(np.unique(site.ties)) < site.channels:
        return None
    if wide_limit(context, site) is not None:
        return None
    seen, bits = context.statistics[value], context.act_bits(site)
    weight = np.concatenate([context.layers[use.node.name].weight for use in site.uses if use.node is not None], 1)
    scales = select_output_outliers(seen.samples, seen.low, seen.high, weight, bits)
    scale = scales.scale * 2.0**scales.shifts
    zero_point = np.floor((1 << (bits - 1)) - (seen.low + seen.high) / 2 / scale + 0.5)
    return replace(context.site_encoding(site, U8, scale, zero_point), span=unsigned_codes(bits))


def _same_rank(encoding: Encoding, scale: float, dtype: Any) -> Encoding:
    return per_tensor(dtype, scale, encoding.scale.ndim)
