"""Which kernel computes which operator. To add an operator, write its kernel and one entry of `BINDERS`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.ir import Node, TensorType
from intvit.kernels.add import add
from intvit.kernels.gelu_polynomial import gelu_polynomial
from intvit.kernels.gelu_table import gelu_table
from intvit.kernels.jit import Step
from intvit.kernels.layer_norm import layer_norm
from intvit.kernels.linear import linear
from intvit.kernels.linear_wide import linear_wide
from intvit.kernels.matmul import matmul
from intvit.kernels.mean import mean
from intvit.kernels.requantize import requantize
from intvit.kernels.softmax_divide import softmax_divide
from intvit.kernels.softmax_polynomial import softmax_polynomial
from intvit.kernels.softmax_table import softmax_table
from intvit.kernels.tile import SIGN_FLIP, WIDE, pack, packed_type, padded_columns, padded_depth
from intvit.kernels.vector_tile import ROWS
from intvit.runtime.arena import aligned_copy, aligned_empty
from intvit.runtime.prepared import Context, Prepared, Scratch, as_bits, as_rows, output_range

Array = NDArray[Any]

TILE: Scratch = ((ROWS, WIDE), np.int32)
"""The sums of one tile."""


def _flip(kind: TensorType) -> int:
    return SIGN_FLIP if kind.dtype.signed else 0


def _linear_wide(op: ops.Linear, at: Context) -> Prepared:
    weight, bias, multiplier = (at.constant(i) for i in (1, 2, 3))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return linear_wide.bind(x, weight, bias, multiplier, op.shift, *output_range(op), scratch[0], y)

    packed = weight.nbytes + bias.nbytes + multiplier.nbytes
    return Prepared((0,), bind, (((len(bias),), np.int32),), packed_bytes=packed)


def _linear(op: ops.Linear, at: Context) -> Prepared:
    if at.inputs[0].type.dtype.bits > 8:
        return _linear_wide(op, at)
    weight, flip = at.inputs[1].constant, _flip(at.inputs[0].type)
    depth, columns = padded_depth(weight.shape[0]), padded_columns(weight.shape[1])
    packed = aligned_empty((depth * columns,), packed_type(at.level))
    pack(weight, at.level, packed)
    start = at.inputs[2].constant.astype(np.int64) - (128 if flip else 0) * weight.sum(0, dtype=np.int64)
    bias = aligned_copy(np.pad(start, (0, columns - len(start))).astype(np.int32))
    multiplier = at.constant(3)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]).view(np.uint8), as_bits(as_rows(outputs[0]))
        return linear.bind(x, flip, packed, depth, bias, multiplier, op.shift, *output_range(op), scratch[0], y)

    return Prepared((0,), bind, (TILE,), packed_bytes=packed.nbytes + bias.nbytes + multiplier.nbytes)


def _heads(array: Array) -> Array | None:
    """Return `array` [..., A, B] as a view [H, A, B], or None if its leading axes can't be merged."""
    try:
        return array.reshape((-1, *array.shape[-2:]), copy=False)
    except ValueError:
        return None


def _matmul_accepts(index: int, array: Array) -> bool:
    heads = _heads(array)
    return heads is not None and (index == 1 or heads.strides[2] == 1)


def _matmul(_op: ops.MatMul, at: Context) -> Prepared:
    depth = padded_depth(at.inputs[1].type.shape[-2])
    columns = padded_columns(at.inputs[1].type.shape[-1])
    flip, offset = _flip(at.inputs[0].type), aligned_copy(np.full((1, depth), 128, np.uint8))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        a, b = (_heads(x) for x in inputs)
        assert a is not None and b is not None
        packed, bias, sums = scratch
        y = outputs[0].reshape(-1, *outputs[0].shape[-2:])
        return matmul.bind(a.view(np.uint8), flip, b, packed, depth, bias, offset, sums, y)

    scratch: tuple[Scratch, ...] = (((depth * columns,), packed_type(at.level)), ((columns,), np.int32), TILE)
    return Prepared((0, 1), bind, scratch, accepts=_matmul_accepts)


def _add(op: ops.Add, at: Context) -> Prepared:
    shape = at.outputs[0].shape

    def arrange(a: Array, b: Array) -> tuple[Array, ...]:
        return np.broadcast_to(a, shape), np.broadcast_to(b, shape)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        a, b, y = inputs[0].reshape(-1), inputs[1].reshape(-1), as_bits(outputs[0].reshape(-1))
        return add.bind(a, b, op.multiplier_a, op.multiplier_b, op.shift, *output_range(op), y)

    return Prepared((0, 1), bind, arrange=arrange)


def _requantize(op: ops.Requantize, at: Context) -> Prepared:
    shape, multiplier = at.inputs[0].type.shape, at.inputs[1].constant
    if math.prod(multiplier.shape[:-1]) == 1:
        multiplier, shape = multiplier.reshape(-1), shape[-1:]
    factors = as_rows(aligned_copy(np.broadcast_to(multiplier, shape)))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return requantize.bind(x, factors, op.input_zero_point, op.shift, *output_range(op), y)

    return Prepared((0,), bind, packed_bytes=factors.nbytes)


def _mean(op: ops.Mean, at: Context) -> Prepared:
    kept = [i for i in range(len(at.inputs[0].type.shape)) if i not in op.axes]
    channels = at.outputs[0].size

    def arrange(x: Array) -> tuple[Array, ...]:
        return (x.transpose(*sorted(op.axes), *kept),)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = inputs[0].reshape(-1, channels), as_bits(outputs[0].reshape(-1))
        return mean.bind(x, op.multiplier, op.shift, *output_range(op), scratch[0], y)

    return Prepared((0,), bind, (((channels,), np.int32),), arrange)


def _layer_norm(op: ops.LayerNorm, at: Context) -> Prepared:
    multiplier, bias = at.constant(1), at.constant(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return layer_norm.bind(x, multiplier, bias, op.epsilon, op.shift, *output_range(op), y)

    return Prepared((0,), bind, packed_bytes=multiplier.nbytes + bias.nbytes)


def _softmax_polynomial(op: ops.SoftmaxPolynomial, at: Context) -> Prepared:
    multiplier, coefficients = at.rows(1), aligned_copy(np.array(op.coefficients, np.int32))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, e, row_sum = as_rows(inputs[0]), as_rows(outputs[0]), outputs[1].reshape(-1)
        return softmax_polynomial.bind(x, multiplier, op.shift, coefficients, scratch[0], e, row_sum)

    return Prepared((0,), bind, ((at.inputs[0].type.shape[-1:], np.int32),), packed_bytes=multiplier.nbytes)


def _softmax_table(op: ops.SoftmaxTable, at: Context) -> Prepared:
    multiplier, table = at.rows(1), at.constant(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, e, row_sum = as_rows(inputs[0]), as_rows(outputs[0]), outputs[1].reshape(-1)
        return softmax_table.bind(x, multiplier, op.shift, table, scratch[0], e, row_sum)

    scratch: tuple[Scratch, ...] = ((at.inputs[0].type.shape[-1:], np.int32),)
    return Prepared((0,), bind, scratch, packed_bytes=multiplier.nbytes + table.nbytes)


def _softmax_divide(op: ops.SoftmaxDivide, at: Context) -> Prepared:
    numerator = at.rows(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, row_sum, y = as_rows(inputs[0]), inputs[1].reshape(-1), as_bits(as_rows(outputs[0]))
        return softmax_divide.bind(x, row_sum, numerator, op.shift, *output_range(op), y)

    return Prepared((0, 1), bind, packed_bytes=numerator.nbytes)


def _gelu_polynomial(op: ops.GeluPolynomial, at: Context) -> Prepared:
    multiplier, coefficients = at.channels(1), aligned_copy(np.array(op.coefficients, np.int32))

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y, numbers = (
            as_rows(inputs[0]),
            as_bits(as_rows(outputs[0])),
            (op.fraction_bits, op.shift, *output_range(op)),
        )
        return gelu_polynomial.bind(x, multiplier, coefficients, *numbers, scratch[0], y)

    return Prepared((0,), bind, ((multiplier.shape, np.int32),), packed_bytes=multiplier.nbytes)


def _gelu_table(op: ops.GeluTable, at: Context) -> Prepared:
    multiplier, table = at.channels(1), at.constant(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        numbers = (op.fraction_bits, op.index_shift, op.shift, *output_range(op))
        return gelu_table.bind(x, multiplier, table, *numbers, scratch[0], y)

    return Prepared((0,), bind, ((multiplier.shape, np.int32),), packed_bytes=multiplier.nbytes + table.nbytes)


def _concat(op: ops.Concat, at: Context) -> Prepared:
    split = at.inputs[0].type.shape[op.axis]

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        parts = np.split(outputs[0], [split], op.axis)

        def join() -> None:
            for part, source in zip(parts, inputs, strict=True):
                np.copyto(part, source)

        return join

    return Prepared((0, 1), bind, accepts=lambda _index, _array: True)


BINDERS: dict[type[Any], Callable[[Any, Context], Prepared]] = {
    ops.Add: _add,
    ops.Concat: _concat,
    ops.GeluPolynomial: _gelu_polynomial,
    ops.GeluTable: _gelu_table,
    ops.LayerNorm: _layer_norm,
    ops.Linear: _linear,
    ops.MatMul: _matmul,
    ops.Mean: _mean,
    ops.Requantize: _requantize,
    ops.SoftmaxDivide: _softmax_divide,
    ops.SoftmaxPolynomial: _softmax_polynomial,
    ops.SoftmaxTable: _softmax_table,
}
"""The binder of every operator that computes; those that only move data are views, made by the plan."""


def prepare(node: Node, context: Context) -> Prepared:
    """Pack the constants of a node that computes."""
    return BINDERS[type(node.op)](node.op, context)
