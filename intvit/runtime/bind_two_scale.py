"""How the operators on two-scale codes are bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.kernels.jit import Step
from intvit.kernels.softmax_two_scale import softmax_two_scale
from intvit.kernels.two_scale_decode import two_scale_decode
from intvit.kernels.two_scale_encode import two_scale_encode
from intvit.runtime.prepared import Context, Prepared, Scratch, as_bits, as_rows

Array = NDArray[Any]


def prepare_two_scale_encode(op: ops.TwoScaleEncode, _at: Context) -> Prepared:
    """Bind `TwoScaleEncode`."""

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        numbers = (op.bits, op.coarse_shift, op.multiplier, op.shift, op.zero_point)
        return two_scale_encode.bind(x, *numbers, y, grains=len(y))

    return Prepared((0,), bind)


def prepare_two_scale_decode(op: ops.TwoScaleDecode, _at: Context) -> Prepared:
    """Bind `TwoScaleDecode`."""

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_rows(outputs[0])
        return two_scale_decode.bind(x, op.bits, op.coarse_shift, y, grains=len(y))

    return Prepared((0,), bind)


def prepare_softmax_two_scale(op: ops.SoftmaxTwoScale, at: Context) -> Prepared:
    """Bind `SoftmaxTwoScale`."""
    multiplier, table = at.rows(1), at.constant(2)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, e, row_sum = as_rows(inputs[0]), as_rows(outputs[0]), outputs[1].reshape(-1)
        numbers = (op.bits, op.coarse_shift)
        return softmax_two_scale.bind(x, multiplier, op.shift, table, *numbers, scratch[0], e, row_sum, grains=len(e))

    scratch: tuple[Scratch, ...] = ((at.inputs[0].shape[-1:], np.int32),)
    return Prepared((0,), bind, scratch, constants=(multiplier, table))
