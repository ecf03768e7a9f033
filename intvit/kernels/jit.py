"""How kernels are compiled: ahead of the first call, for exact types, without the GIL, kept in a folder of our own."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

from intvit.kernels.cache import cache_folder
from intvit.kernels.simd import NUMBA

Function = Callable[..., Any]
Scalar = Any
"""An integer inside a kernel: Numba knows its width, Python's type checker can't."""
Step = Callable[[], object]
"""A kernel with all its arguments fixed."""

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False, "fastmath": False}
_decorating = threading.Lock()

KERNELS: dict[str, Kernel] = {}
"""Every kernel, by name."""


class Kernel:
    """A function that Numba compiles once for each combination of argument types it is bound to.

    Arguments are arrays, taken as C-contiguous unless named in `strided`, and Python integers, taken as int64.
    """

    def __init__(self, function: Function, strided: tuple[str, ...] = ()) -> None:
        self.__doc__ = function.__doc__
        self.function = function
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        self._strided = tuple(name in strided for name in names)
        self.dispatcher = _decorate(function)

    def bind(self, *arguments: np.ndarray[Any, Any] | int) -> Step:
        """Compile for the types of `arguments`, or load the compiled code, and return the call with these arguments."""
        entry = self.dispatcher.compile(self.signature(*arguments))
        return functools.partial(entry, *arguments)

    def inspect(self) -> dict[str, tuple[str, str]]:
        """Return the LLVM IR and the assembly for each combination of types bound so far, by its signature.

        Compiles again, since code that comes from the cache has no IR.
        """
        fresh = numba.njit(**_OPTIONS)(self.function)
        for signature in self.dispatcher.signatures:
            fresh.compile(signature)
        return {str(s): (fresh.inspect_llvm(s), fresh.inspect_asm(s)) for s in fresh.signatures}

    def signature(self, *arguments: np.ndarray[Any, Any] | int) -> tuple[types.Type, ...]:
        """Return the Numba types that the kernel is compiled for when it is bound to `arguments`."""
        return tuple(_type_of(a, strided) for a, strided in zip(arguments, self._strided, strict=True))


def kernel(*, strided: tuple[str, ...] = ()) -> Callable[[Function], Kernel]:
    """Make a function a kernel; the arrays named in `strided` may have any strides."""

    def make(function: Function) -> Kernel:
        made = Kernel(function, strided)
        KERNELS[function.__name__] = made
        return made

    return make


def device(function: Function) -> Function:
    """Make a function callable from kernels."""
    compiled: Function = numba.njit(**_OPTIONS)(function)
    return compiled


def _type_of(argument: np.ndarray[Any, Any] | int, strided: bool) -> types.Type:
    if isinstance(argument, int):
        return types.int64
    element: types.Type = numba.from_dtype(argument.dtype)
    return types.Array(element, argument.ndim, "A" if strided else "C")


def _decorate(function: Function) -> Any:
    """Return Numba's dispatcher for `function`, cached in our folder; Numba reads its setting only while decorating."""
    folder = cache_folder()
    if folder is None:
        return numba.njit(**_OPTIONS)(function)
    with _decorating:
        saved, NUMBA.CACHE_DIR = NUMBA.CACHE_DIR, str(folder)
        try:
            return numba.njit(cache=True, **_OPTIONS)(function)
        finally:
            NUMBA.CACHE_DIR = saved
