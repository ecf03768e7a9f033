"""Counters that several threads share, and waiting for them without the operating system for as long as that is short."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from intvit.kernels.jit import Scalar, device

SPINS = 2048
"""How often a counter is read before other threads are let run."""

_WORD = ir.IntType(64)


def _emit_add(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    address = builder.inttoptr(arguments[0], _WORD.as_pointer())
    return builder.atomic_rmw("add", address, arguments[1], "acq_rel")


def _emit_load(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    return builder.load_atomic(builder.inttoptr(arguments[0], _WORD.as_pointer()), "acquire", 8)


def _emit_store(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    builder.store_atomic(arguments[1], builder.inttoptr(arguments[0], _WORD.as_pointer()), "release", 8)
    return context.get_dummy_value()


def _emit_yield(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
    name = "SwitchToThread" if sys.platform == "win32" else "sched_yield"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.IntType(32), []), name)  # type: ignore[no-untyped-call]
    builder.call(function, [])
    return context.get_dummy_value()


def _emit_call(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    entry, words, *numbers = arguments
    kind = ir.FunctionType(ir.VoidType(), [_WORD] * 4)
    builder.call(builder.inttoptr(entry, kind.as_pointer()), [words, *numbers])
    return context.get_dummy_value()


atomic_add: Any = intrinsic(lambda typing, address, value: (types.int64(types.int64, types.int64), _emit_add))
"""Add to the int64 at an address and return what it was before."""

atomic_load: Any = intrinsic(lambda typing, address: (types.int64(types.int64), _emit_load))
"""Return the int64 at an address, with all that was written before it was."""

atomic_store: Any = intrinsic(lambda typing, address, value: (types.void(types.int64, types.int64), _emit_store))
"""Set the int64 at an address, after all that was written before."""

yield_thread: Any = intrinsic(lambda typing: (types.void(), _emit_yield))
"""Let other threads of this core run."""

call_entry: Any = intrinsic(lambda typing, entry, words, slot, part, parts: (types.void(*[types.int64] * 5), _emit_call))
"""Call the kernel entry at an address."""


@device
def wait_for(address: Scalar, value: Scalar) -> None:
    """Return once the counter at `address` has reached `value`."""
    spins = np.int64(0)
    while atomic_load(address) < value:
        spins += 1
        if spins > SPINS:
            yield_thread()
