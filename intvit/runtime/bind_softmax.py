"""How the softmaxes are bound that end in probabilities: one kernel, with a table of exponentials made of each operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.aligned import aligned_copy
from intvit.kernels.jit import Step
from intvit.kernels.softmax_normalized import softmax_normalized
from intvit.ops.softmax_normalized import SoftmaxNormalized
from intvit.runtime.prepared import Context, Prepared, as_rows

Array = NDArray[Any]


def prepare_softmax_normalized(op: SoftmaxNormalized, at: Context) -> Prepared:
    """Bind a softmax of any family."""
    distances = np.arange(1 << at.inputs[0].dtype.bits, dtype=np.int64)
    table = aligned_copy(op.exponential(distances).astype(np.int32))
    numerator, bits = op.numerator()

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_rows(outputs[0])
        return softmax_normalized.bind(x, table, numerator, bits - op.bits + 1, op.top, *scratch, y, grains=len(y))

    return Prepared((0,), bind, ((at.inputs[0].shape[-1:], np.int32),), constants=(table,))
