"""What is known of a node before its tensors have a place: its packed constants, and how to bind a kernel to memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import TensorType
from intvit.ir.op import OpTypeError
from intvit.kernels.aligned import Pool, aligned_copy
from intvit.kernels.jit import Step
from intvit.kernels.simd import Level
from intvit.kernels.tile import left_type
from intvit.ops.output import RequantizingOp
from intvit.runtime.constants import Constants

Array = NDArray[Any]
Shape = tuple[int, ...]
Scratch = tuple[Shape, np.dtype[Any] | type[np.generic]]
Binder = Callable[[Sequence[Array], Sequence[Array], Sequence[Array]], Step | tuple[Step, ...]]


def _is_contiguous(_index: int, array: Array) -> bool:
    return array.flags.c_contiguous


def _unchanged(*inputs: Array) -> tuple[Array, ...]:
    return inputs


@dataclass(frozen=True)
class Prepared:
    """A node whose constants are packed: everything about it that does not depend on where its tensors lie.

    Attributes:
        uses: the positions of the inputs that the kernel reads at run time.
        bind: makes the step, or several in order, from those inputs, the outputs, the scratch and the shared arrays, all in
            their final memory.
        scratch: shapes and types of the scratch arrays, of which each thread has its own.
        arrange: turns those inputs into the views that the kernel wants (broadcast, transposed).
        accepts: whether the kernel takes such a view as it lies; if not, it is copied first.
        left: the type that the first of those inputs is widened to, if it does not have it.
        constants: the packed constants that it keeps; several nodes may share them.
        shared: shapes and types of arrays that the steps hand on to each other.
        weights: the packed weights of a linear layer that can fetch those of another, which `bind` takes as one more input.
        by_rows: whether memory should hold the output [..., heads, rows, C] row by row, all heads beside each other.
    """

    uses: tuple[int, ...]
    bind: Binder
    scratch: tuple[Scratch, ...] = ()
    arrange: Callable[..., tuple[Array, ...]] = _unchanged
    accepts: Callable[[int, Array], bool] = _is_contiguous
    left: np.dtype[Any] | None = None
    constants: tuple[Array, ...] = ()
    shared: tuple[Scratch, ...] = ()
    weights: Array | None = None
    by_rows: bool = False


@dataclass(frozen=True)
class Context:
    """What a binder knows of a node: the types of its inputs and outputs, its constants and the SIMD level.

    `reads` and `makes` are the names of the inputs and outputs; `packed` keeps constants that several nodes need packed alike,
    and `constants` are the graph's, which need not keep what is packed. Large packed constants lie in `pool`.
    """

    inputs: Sequence[TensorType]
    outputs: Sequence[TensorType]
    level: Level
    reads: Sequence[str]
    makes: Sequence[str]
    packed: dict[Any, Any]
    constants: Constants
    pool: Pool

    def left(self, level: Level) -> np.dtype[Any]:
        """Return the type in which kernels that multiply at a level want the first input."""
        x = self.inputs[0].dtype
        return left_type(level, x.signed) if x.bits == 8 else x.dtype

    def value(self, index: int) -> Array:
        """Return a constant input.

        Raises:
            OpTypeError: the input is not constant.
        """
        name = self.reads[index]
        if name not in self.constants:
            raise OpTypeError(f"{name} must be a constant of the graph")
        return self.constants[name]

    def constant(self, index: int) -> Array:
        """Return a private, aligned copy of a constant input; raises what `value` does."""
        return aligned_copy(self.value(index))

    def rows(self, index: int) -> Array:
        """Return a constant with last axis 1 as one value for every row of the first input."""
        shape = (*self.inputs[0].shape[:-1], 1)
        return aligned_copy(np.broadcast_to(self.value(index), shape).reshape(-1))

    def heads(self, index: int) -> Array:
        """Return a constant [..., 1, 1] as one value for every head of the first input, [..., M, N]."""
        shape = (*self.inputs[0].shape[:-2], 1, 1)
        return aligned_copy(np.broadcast_to(self.value(index), shape).reshape(-1))

    def channels(self, index: int) -> Array:
        """Return a constant [C] or [1] as one value for every channel of the first input."""
        return aligned_copy(np.broadcast_to(self.value(index), self.inputs[0].shape[-1:]))


def as_bits(array: Array) -> Array:
    """Return the signed view of an array: kernels clip before they narrow, so a code's bits do not depend on its sign."""
    return array.view(np.dtype(f"i{array.dtype.itemsize}"))


def as_rows(array: Array) -> Array:
    """Return a contiguous array as [rows, channels]."""
    return array.reshape(-1, array.shape[-1])


def as_heads(array: Array) -> Array:
    """Return an array [..., A, B] as a view [H, A, B].

    Raises:
        ValueError: its leading axes can't be merged.
    """
    return array.reshape((-1, *array.shape[-2:]), copy=False)


def has_heads(array: Array) -> bool:
    """Whether `as_heads` can make a view."""
    try:
        as_heads(array)
    except ValueError:
        return False
    return True


def output_range(op: RequantizingOp) -> tuple[int, int, int]:
    """Return the last three numbers of every requantizing kernel."""
    return op.zero_point, op.low, op.high
