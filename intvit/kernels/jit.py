"""How kernels are written and bound: plain functions of arrays and integers, compiled for exact types before the first call."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.typing import NDArray

from intvit.kernels.level_type import LevelType
from intvit.kernels.native import OPTIONS, Source, load_entry
from intvit.kernels.simd import Level

Array = NDArray[Any]
Function = Callable[..., Any]
Argument = Array | int | Level
Scalar = Any
"""An integer inside a kernel: Numba knows its width, Python's type checker can't."""

SHARE = ("part", "parts")
"""The last parameters of a kernel whose work can be cut into parts that run at the same time."""

KERNELS: dict[str, Kernel] = {}
"""Every kernel, by name."""

_CALL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)
_idle = _CALL(lambda *_: None)
_noted: ContextVar[list[Source] | None] = ContextVar("_noted", default=None)
"""What `only_noted` lists, inside its block."""


@dataclass(frozen=True, slots=True)
class Step:
    """A kernel with all its arguments fixed.

    Attributes:
        entry: the address of the compiled kernel, `void entry(int64 *words, int64 slot, int64 part, int64 parts)`.
        words: its arguments: addresses, shapes, strides and numbers.
        grains: how many parts the work may be cut into at most.
        arrays: the memory that the words point to, kept alive.
    """

    entry: int
    words: NDArray[np.int64]
    grains: int
    arrays: tuple[Array, ...]

    def __call__(self) -> None:
        """Run the whole kernel, without the GIL, in the first slot of its scratch."""
        _CALL(self.entry)(self.words.ctypes.data, 0, 0, 1)


class Kernel:
    """A function that is compiled once for each combination of argument types it is bound to.

    Its parameters are arrays (C-contiguous unless named in `strided`), integers (int64) and SIMD levels, then `part` and
    `parts` if it can compute share `part` of `parts` of its work. Arrays named in `scratch` are bound with one more leading
    axis, of slots: parts that run at the same time use different slots.
    """

    def __init__(self, function: Function, strided: tuple[str, ...] = (), scratch: tuple[str, ...] = ()) -> None:
        self.__doc__ = function.__doc__
        self.name = function.__name__
        self.function = function
        names = tuple(inspect.signature(function).parameters)
        self.can_split = names[-2:] == SHARE
        self._strided = tuple(name in strided for name in (names[:-2] if self.can_split else names))
        self._scratch = tuple(name in scratch for name in (names[:-2] if self.can_split else names))
        self.signatures: set[tuple[types.Type, ...]] = set()

    def bind(self, *arguments: Argument, grains: int = 1) -> Step:
        """Compile for the types of `arguments`, or load the compiled code, and fix the arguments.

        Args:
            arguments: a value for each parameter but `part` and `parts`.
            grains: how many parts the work may be cut into at most.
        """
        signature = self.signature(*arguments)
        if (noted := _noted.get()) is not None:
            noted.append(self.source(signature))
            entry = ctypes.cast(_idle, ctypes.c_void_p).value or 0
        else:
            entry = load_entry(self.source(signature))
            self.signatures.add(signature)
        words = [w for a, s in zip(arguments, self._scratch, strict=True) for w in _words(a, s)]
        arrays = tuple(a for a in arguments if isinstance(a, np.ndarray))
        return Step(entry, np.array(words, np.int64), grains if self.can_split else 1, arrays)

    def source(self, signature: tuple[types.Type, ...]) -> Source:
        """Return what is compiled for a signature."""
        return Source(self.function, signature, self._scratch, self.can_split)

    def inspect(self) -> dict[str, tuple[str, str]]:
        """Return the LLVM IR and the assembly for each combination of types bound so far, by its signature.

        Compiles again, since code that comes from the cache has no IR.
        """
        fresh = numba.njit(**OPTIONS)(self.function)
        share = (types.int64,) * (2 if self.can_split else 0)
        for signature in self.signatures:
            fresh.compile((*signature, *share))
        return {str(s): (fresh.inspect_llvm(s), fresh.inspect_asm(s)) for s in fresh.signatures}

    def signature(self, *arguments: Argument) -> tuple[types.Type, ...]:
        """Return the Numba types that the kernel is compiled for when it is bound to `arguments`."""
        return tuple(
            _type_of(a, strided, scratch) for a, strided, scratch in zip(arguments, self._strided, self._scratch, strict=True)
        )


def kernel(*, strided: tuple[str, ...] = (), scratch: tuple[str, ...] = ()) -> Callable[[Function], Kernel]:
    """Make a function a kernel; arrays named in `strided` may have any strides, those in `scratch` have one slot a thread."""

    def make(function: Function) -> Kernel:
        made = Kernel(function, strided, scratch)
        KERNELS[made.name] = made
        return made

    return make


@contextmanager
def only_noted() -> Iterator[list[Source]]:
    """Compile nothing inside the `with` block: list what would be, and bind to an entry that does nothing."""
    sources: list[Source] = []
    token = _noted.set(sources)
    try:
        yield sources
    finally:
        _noted.reset(token)


def device(function: Function) -> Function:
    """Make a function part of the kernels that call it; a real call would pass each array as a dozen numbers in memory."""
    compiled: Function = numba.njit(**OPTIONS, forceinline=True)(function)
    return compiled


def _type_of(argument: Argument, strided: bool, scratch: bool) -> types.Type:
    if isinstance(argument, Level):
        return LevelType(argument)
    if isinstance(argument, int):
        return types.int64
    element: types.Type = numba.from_dtype(argument.dtype)
    return types.Array(element, argument.ndim - scratch, "A" if strided else "C")


def _words(argument: Argument, scratch: bool) -> list[int]:
    """Return what stands for an argument: nothing for a level, address, shape, strides and slot stride for an array."""
    if isinstance(argument, Level):
        return []
    if isinstance(argument, int):
        return [argument]
    slot = argument.strides[0] if scratch else 0
    return [argument.ctypes.data, slot, *argument.shape[scratch:], *argument.strides[scratch:]]
