"""Copies of strided arrays, for the values that can't be mere views of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.copy import copy
from intvit.kernels.jit import Step
from intvit.kernels.widen import widen

Array = NDArray[Any]


def bind_copy(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array] = ()) -> Step:
    """Return the step that copies an array into another of the same shape and type, both of any strides."""
    x, y = inputs[0], outputs[0]
    *outer, (rows, x_stride, y_stride), (size, _, _) = merged_axes(x, y)
    offsets = np.zeros((1, 2), np.int64)
    for length, *strides in outer:
        offsets = (offsets[:, None] + np.arange(length)[None, :, None] * strides).reshape(-1, 2)
    return copy.bind(_first_byte(x), _first_byte(y), offsets, rows, x_stride, y_stride, size, grains=len(offsets))


def bind_widen(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array] = ()) -> Step:
    """Return the step that copies 8-bit codes [..., M, K], whose leading axes can be merged, to 16 bits."""
    x, y = (a.reshape(-1, *a.shape[-2:], copy=False) for a in (inputs[0], outputs[0]))
    return widen.bind(x, y, grains=y.shape[0] * y.shape[1])


def _first_byte(array: Array) -> Array:
    """Return the view of an array that starts where it does; u8 with one axis, whatever the array is."""
    return array[(slice(1),) * array.ndim].reshape(1).view(np.uint8)


def merged_axes(x: Array, y: Array) -> list[tuple[int, int, int]]:
    """Return length and byte strides of the fewest axes, 2 at least, that describe two arrays of one shape and type.

    The last axis counts bytes that are contiguous in both.
    """
    axes = [(x.itemsize, 1, 1)]
    for length, *steps in reversed(list(zip(x.shape, x.strides, y.strides, strict=True))):
        inner, *inner_steps = axes[-1]
        if steps == [inner * step for step in inner_steps]:
            axes[-1] = (inner * length, *inner_steps)
        elif length > 1:
            axes.append((length, *steps))
    return [*reversed(axes)] if len(axes) > 1 else [(1, 0, 0), *axes]
