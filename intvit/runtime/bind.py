"""Which kernel computes which operator. To add an operator, write its kernel and one entry of `BINDERS`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.kernels.add import add
from intvit.kernels.aligned import aligned_copy
from intvit.kernels.append_residuals import append_residuals
from intvit.kernels.gelu_erf import gelu_erf
from intvit.kernels.gelu_shift import CODES, gelu_shift
from intvit.kernels.jit import Step
from intvit.kernels.layer_norm import SCALES, affine_numbers, layer_norm
from intvit.kernels.layer_norm_newton import layer_norm_newton
from intvit.kernels.matmul import matmul
from intvit.kernels.mean import mean
from intvit.kernels.requantize import requantize
from intvit.kernels.softmax_divide import softmax_divide
from intvit.kernels.tile import offset, operand_type, padded_columns, padded_depth
from intvit.kernels.vector import LANES_64
from intvit.runtime.bind_attention import accepts_heads, prepare_attention
from intvit.runtime.bind_gelu import prepare_gelu, prepare_linear_gelu
from intvit.runtime.bind_linear import prepare_linear, prepare_linear_add, sums_tile
from intvit.runtime.bind_softmax import prepare_softmax_normalized, prepare_softmax_rows, prepare_softmax_table
from intvit.runtime.bind_two_scale import prepare_softmax_two_scale, prepare_two_scale_decode, prepare_two_scale_encode
from intvit.runtime.fuse import Group
from intvit.runtime.prepared import Context, Prepared, Scratch, as_bits, as_heads, as_rows, output_range

Array = NDArray[Any]


def _matmul(_op: ops.MatMul, at: Context) -> Prepared:
    left, right = at.inputs[0].dtype, at.inputs[1].dtype
    level = at.level.multiplying(left.bits, right.bits)
    depth = padded_depth(level, at.inputs[1].shape[-2])
    columns = padded_columns(level, at.inputs[1].shape[-1])
    scratch: tuple[Scratch, ...] = (((depth * columns,), level.traits.right), ((columns,), np.int32), sums_tile(level))
    offsets = aligned_copy(np.full((1, depth), offset(level, left.signed, left.bits), operand_type(level)))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        a, b, y = as_heads(inputs[0]), as_heads(inputs[1]), as_heads(outputs[0])
        packed, bias, sums = scratch
        return matmul.bind(level, a, b, packed, depth, bias, offsets, sums, y, grains=len(y))

    return Prepared((0, 1), bind, scratch, accepts=accepts_heads, left=at.left(level), constants=(offsets,))


def _add(op: ops.Add, at: Context) -> Prepared:
    shape = at.outputs[0].shape

    def arrange(a: Array, b: Array) -> tuple[Array, ...]:
        return np.broadcast_to(a, shape), np.broadcast_to(b, shape)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        a, b, y = as_rows(inputs[0]), as_rows(inputs[1]), as_bits(as_rows(outputs[0]))
        return add.bind(a, b, op.multiplier_a, op.multiplier_b, op.shift, *output_range(op), y, grains=len(y))

    return Prepared((0, 1), bind, arrange=arrange)


def _append_residuals(op: ops.AppendResiduals, at: Context) -> Prepared:
    channels = aligned_copy(np.array(op.channels, np.int32))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_rows(outputs[0])
        return append_residuals.bind(x, op.bits, channels, scratch[0], y, grains=len(y))

    return Prepared((0,), bind, ((at.inputs[0].shape[-1:], np.uint8),), constants=(channels,))


def _requantize(op: ops.Requantize, at: Context) -> Prepared:
    shape, multiplier = at.inputs[0].shape, at.value(1)
    if math.prod(multiplier.shape[:-1]) == 1:
        multiplier, shape = multiplier.reshape(-1), shape[-1:]
    factors = as_rows(aligned_copy(np.broadcast_to(multiplier, shape)))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return requantize.bind(x, factors, op.input_zero_point, op.shift, *output_range(op), y, grains=len(y))

    return Prepared((0,), bind, constants=(factors,))


def _mean(op: ops.Mean, at: Context) -> Prepared:
    kept = [i for i in range(len(at.inputs[0].shape)) if i not in op.axes]
    channels = at.outputs[0].size

    def arrange(x: Array) -> tuple[Array, ...]:
        return (x.transpose(*sorted(op.axes), *kept),)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = inputs[0].reshape(-1, channels), as_bits(outputs[0].reshape(-1))
        return mean.bind(x, op.multiplier, op.shift, *output_range(op), scratch[0], y)

    return Prepared((0,), bind, (((channels,), np.int32),), arrange)


def _layer_norm(op: ops.LayerNorm, at: Context) -> Prepared:
    multiplier, bias = affine_numbers(at.value(1), at.value(2))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return layer_norm.bind(x, multiplier, bias, op.epsilon, op.shift, *output_range(op), *scratch, y, grains=len(y))

    return Prepared((0,), bind, (((SCALES, LANES_64), np.int64),), constants=(multiplier, bias))


def _layer_norm_newton(op: ops.LayerNormNewton, at: Context) -> Prepared:
    multiplier, bias = at.constant(1), at.constant(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return layer_norm_newton.bind(x, multiplier, bias, op.shift, *output_range(op), y, grains=len(y))

    return Prepared((0,), bind, constants=(multiplier, bias))


def _softmax_divide(op: ops.SoftmaxDivide, at: Context) -> Prepared:
    numerator = at.rows(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, row_sum, y = as_rows(inputs[0]), inputs[1].reshape(-1), as_bits(as_rows(outputs[0]))
        return softmax_divide.bind(x, row_sum, numerator, op.shift, *output_range(op), y, grains=len(y))

    return Prepared((0, 1), bind, constants=(numerator,))


def _gelu_erf(op: ops.GeluErf, at: Context) -> Prepared:
    multiplier = at.channels(1)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        numbers = (op.power, op.knee, op.one, op.erf_shift, op.shift, *output_range(op))
        return gelu_erf.bind(x, multiplier, *numbers, scratch[0], y, grains=len(y))

    return Prepared((0,), bind, ((multiplier.shape, np.int32),), constants=(multiplier,))


def _gelu_shift(op: ops.GeluShift, at: Context) -> Prepared:
    codes = np.arange(CODES, dtype=np.int64) - CODES // 2
    top = codes[:, None]
    x = np.minimum(codes, top)
    multiplier, table = at.channels(1), aligned_copy((x * op.sigmoid(x, top)).astype(np.int32))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return gelu_shift.bind(x, multiplier, table, op.shift, *output_range(op), scratch[0], y, grains=len(y))

    return Prepared((0,), bind, ((multiplier.shape, np.int32),), constants=(multiplier, table))


BINDERS: dict[type[Any], Callable[[Any, Context], Prepared]] = {
    ops.Add: _add,
    ops.AppendResiduals: _append_residuals,
    ops.GeluErf: _gelu_erf,
    ops.GeluPolynomial: prepare_gelu,
    ops.GeluShift: _gelu_shift,
    ops.GeluTable: prepare_gelu,
    ops.LayerNorm: _layer_norm,
    ops.LayerNormNewton: _layer_norm_newton,
    ops.Linear: prepare_linear,
    ops.MatMul: _matmul,
    ops.Mean: _mean,
    ops.Requantize: _requantize,
    ops.Shiftmax: prepare_softmax_normalized,
    ops.SoftmaxBit: prepare_softmax_normalized,
    ops.SoftmaxDivide: _softmax_divide,
    ops.SoftmaxIBert: prepare_softmax_normalized,
    ops.SoftmaxOctave: prepare_softmax_rows,
    ops.SoftmaxPolynomial: prepare_softmax_rows,
    ops.SoftmaxPolynomialWide: prepare_softmax_rows,
    ops.SoftmaxTable: prepare_softmax_table,
    ops.SoftmaxTwoScale: prepare_softmax_two_scale,
    ops.TwoScaleDecode: prepare_two_scale_decode,
    ops.TwoScaleEncode: prepare_two_scale_encode,
}
"""The binder of every operator that computes; those that only move data are views or copies, made by the plan."""


FUSED: dict[tuple[type[Any], ...], Callable[[Sequence[Any], Sequence[Context]], Prepared]] = {
    (ops.Linear, ops.GeluPolynomial): prepare_linear_gelu,
    (ops.Linear, ops.GeluTable): prepare_linear_gelu,
    (ops.Linear, ops.Add): prepare_linear_add,
    (ops.MatMul, ops.SoftmaxOctave, ops.MatMul, ops.SoftmaxDivide): prepare_attention,
    (ops.MatMul, ops.SoftmaxPolynomial, ops.MatMul, ops.SoftmaxDivide): prepare_attention,
    (ops.MatMul, ops.SoftmaxPolynomialWide, ops.MatMul, ops.SoftmaxDivide): prepare_attention,
    (ops.MatMul, ops.SoftmaxTable, ops.MatMul, ops.SoftmaxDivide): prepare_attention,
}
"""The binder of every chain of operators that one kernel computes."""


def prepare(group: Group, contexts: Sequence[Context]) -> Prepared:
    """Pack the constants of a group of nodes that computes."""
    operators = [node.op for node in group.nodes]
    if len(operators) == 1:
        return BINDERS[type(operators[0])](operators[0], contexts[0])
    return FUSED[tuple(type(op) for op in operators)](operators, contexts)


def computes(group: Group) -> bool:
    """Whether a group needs a kernel; other nodes only move data."""
    return len(group.nodes) > 1 or type(group.nodes[0].op) in BINDERS
