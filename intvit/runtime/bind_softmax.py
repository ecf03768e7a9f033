"""How softmaxes are bound, those that give exponentials and their sums and those that give probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.kernels.aligned import aligned_copy
from intvit.kernels.jit import Step
from intvit.kernels.softmax_normalized import softmax_normalized
from intvit.kernels.softmax_polynomial import exponential_steps
from intvit.kernels.softmax_rows import exponential_thresholds, softmax_rows
from intvit.kernels.softmax_table import softmax_table
from intvit.ops.softmax_normalized import SoftmaxNormalized
from intvit.runtime.prepared import Context, Prepared, Scratch, as_rows

Array = NDArray[Any]


RoundedExponential = ops.SoftmaxOctave | ops.SoftmaxPolynomial
"""The operators whose exponentials are rounded with thresholds."""


def rounded_exponential(op: RoundedExponential, at: Context) -> tuple[Array, int, int, Array]:
    """Return how `softmax_rows` computes an operator: exponential, value bits, threshold bits and thresholds."""
    exponential = at.constant(2) if isinstance(op, ops.SoftmaxOctave) else aligned_copy(exponential_steps(op.coefficients))
    return exponential, op.value_bits, op.threshold_bits, aligned_copy(exponential_thresholds(op.thresholds))


def prepare_softmax_rows(op: RoundedExponential, at: Context) -> Prepared:
    """Bind a softmax of exponentials that are rounded with thresholds."""
    multiplier, (exponential, *bits, thresholds) = at.rows(1), rounded_exponential(op, at)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, e, row_sum = as_rows(inputs[0]), as_rows(outputs[0]), outputs[1].reshape(-1)
        return softmax_rows.bind(x, multiplier, op.shift, exponential, *bits, thresholds, e, row_sum, grains=len(e))

    return Prepared((0,), bind, constants=(multiplier, exponential, thresholds))


def prepare_softmax_table(op: ops.SoftmaxTable, at: Context) -> Prepared:
    """Bind a softmax of exponentials that are read from a table."""
    multiplier, table = at.rows(1), at.constant(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, e, row_sum = as_rows(inputs[0]), as_rows(outputs[0]), outputs[1].reshape(-1)
        return softmax_table.bind(x, multiplier, op.shift, table, scratch[0], e, row_sum, grains=len(e))

    scratch: tuple[Scratch, ...] = ((at.inputs[0].shape[-1:], np.int32),)
    return Prepared((0,), bind, scratch, constants=(multiplier, table))


def prepare_softmax_normalized(op: SoftmaxNormalized, at: Context) -> Prepared:
    """Bind a softmax of the papers: one kernel, with a table of exponentials made of each operator."""
    distances = np.arange(1 << at.inputs[0].dtype.bits, dtype=np.int64)
    table = aligned_copy(op.exponential(distances).astype(np.int32))
    numerator, bits = op.numerator()

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_rows(outputs[0])
        return softmax_normalized.bind(x, table, numerator, bits - op.bits + 1, op.top, *scratch, y, grains=len(y))

    return Prepared((0,), bind, ((at.inputs[0].shape[-1:], np.int32),), constants=(table,))
