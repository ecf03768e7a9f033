"""How GELUs in fixed point are bound to kernels, alone or behind a linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.kernels.aligned import aligned_copy
from intvit.kernels.gelu_bytes import byte_bump, gelu_bytes
from intvit.kernels.gelu_polynomial import gelu_polynomial, gelu_steps
from intvit.kernels.gelu_table import gelu_table
from intvit.kernels.jit import Kernel, Step
from intvit.kernels.linear_gelu import linear_gelu_bytes, linear_gelu_polynomial, linear_gelu_table
from intvit.kernels.tile import tile_shape
from intvit.runtime.bind_linear import PackedLinear, panel_shape, shares_of
from intvit.runtime.prepared import Context, Prepared, Scratch, as_bits, as_rows, output_range

Array = NDArray[Any]


class GeluKernels(NamedTuple):
    """What computes a GELU.

    Attributes:
        alone: the kernel of the operator; behind_linear: that of a linear layer and the operator.
        multiplier: s32 [C]; constant: a table or the steps of a polynomial.
        numbers: those that both kernels take, up to the shift.
        by_rows: whether they want memory for the values of a row.
    """

    alone: Kernel
    behind_linear: Kernel
    multiplier: Array
    constant: Array
    numbers: tuple[int, ...]
    by_rows: bool = False

    @staticmethod
    def of(op: ops.GeluPolynomial | ops.GeluTable, at: Context) -> GeluKernels:
        """Return the fastest kernels that compute an operator."""
        multiplier = at.channels(1)
        if isinstance(op, ops.GeluPolynomial):
            steps = aligned_copy(gelu_steps(op.coefficients, op.fraction_bits))
            return GeluKernels(gelu_polynomial, linear_gelu_polynomial, multiplier, steps, (op.fraction_bits, op.shift))
        numbers = op.fraction_bits, op.index_shift
        bump = byte_bump(at.value(2), *numbers, multiplier, op.shift, op.zero_point) if op.to.bits == 8 else None
        if bump:
            shifts = op.index_shift, bump.bump_shift, bump.shift
            return GeluKernels(gelu_bytes, linear_gelu_bytes, multiplier, bump.table, shifts)
        return GeluKernels(gelu_table, linear_gelu_table, multiplier, at.constant(2), (*numbers, op.shift), by_rows=True)

    def scratch(self, columns: int) -> tuple[Scratch, ...]:
        """Return the memory that rows of so many columns take."""
        return (((columns,), np.dtype(np.int32)),) if self.by_rows else ()


def prepare_gelu(op: ops.GeluPolynomial | ops.GeluTable, at: Context) -> Prepared:
    """Bind a GELU alone."""
    gelu = GeluKernels.of(op, at)
    numbers = *gelu.numbers, *output_range(op)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return gelu.alone.bind(x, gelu.multiplier, gelu.constant, *numbers, *scratch, y, grains=len(y))

    return Prepared((0,), bind, gelu.scratch(len(gelu.multiplier)), constants=(gelu.multiplier, gelu.constant))


def prepare_linear_gelu(operators: Sequence[Any], contexts: Sequence[Context]) -> Prepared:
    """Bind a linear layer and the GELU that alone reads it."""
    (op, gelu_op), (at, gelu_at) = operators, contexts
    weights, gelu = PackedLinear.of(at), GeluKernels.of(gelu_op, gelu_at)
    numbers = *gelu.numbers, *output_range(gelu_op)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        (x, *beside), y, (codes, *value) = inputs, as_bits(as_rows(outputs[0])), scratch
        grains = weights.grains(y)
        first = *weights.arguments(op, as_rows(x)), codes, shares_of(beside, grains)
        return gelu.behind_linear.bind(*first, gelu.multiplier, gelu.constant, *numbers, *value, y, grains=grains)

    codes: Scratch = panel_shape(at, weights.level), np.int16
    scratch = codes, *gelu.scratch(tile_shape(weights.level)[1])
    constants = *weights.arrays, gelu.multiplier, gelu.constant
    left = at.left(weights.level)
    return Prepared((0,), bind, scratch, left=left, constants=constants, weights=weights.packed)
