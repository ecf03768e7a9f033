"""Functions that several kernels call, compiled once: the tiles, which would otherwise be most of every kernel's code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import binding, ir
from numba.core import registry

from intvit.kernels.object_code import keep, link, read_cached

PREFIX = "intvit."
"""What the names of shared functions begin with."""

_lock = threading.RLock()
_linked: set[str] = set()
SOURCES: dict[str, str] = {}
"""The LLVM assembly of each shared function that was emitted in this process, by name."""


def call_shared(builder: Any, name: str, arguments: list[Any], emit: Callable[[Any, list[Any]], None]) -> None:
    """Call a function of its own; inside a kernel, values that live around a loop would take registers from it.

    Args:
        builder: where to call.
        name: tells what the function does: all of one name are the same.
        arguments: its arguments.
        emit: emits its body, given a builder and the parameters.
    """
    kind = ir.FunctionType(ir.VoidType(), [a.type for a in arguments])
    with _lock:
        if name not in SOURCES:
            SOURCES[name] = _assembly(name, kind, emit)
        link_shared([name])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    builder.call(function, arguments)


def link_shared(names: Iterable[str]) -> bool:
    """Link shared functions from the cache, or compile and keep what was emitted; return whether all are there."""
    with _lock:
        return all(name in _linked or _link(name) for name in names)


def _link(name: str) -> bool:
    """Link a function, and let code that is linked later find it."""
    if cached := read_cached(name):
        _, code = cached
    elif name in SOURCES:
        code = _compile(SOURCES[name])
        keep(name, (), code)
    else:
        return False
    binding.add_symbol(name, link(name, code))
    _linked.add(name)
    return True


def _assembly(name: str, kind: Any, emit: Callable[[Any, list[Any]], None]) -> str:
    """Return the assembly of a function."""
    module = ir.Module(name)
    module.triple = binding.get_process_triple()
    module.data_layout = str(registry.cpu_target.target_context.codegen().target_data)
    function = ir.Function(module, kind, name)
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    emit(builder, list(function.args))
    builder.ret_void()
    return str(module)


def _compile(assembly: str) -> bytes:
    """Return object code for this CPU."""
    module = binding.parse_assembly(assembly)
    module.verify()
    machine = registry.cpu_target.target_context.codegen()._tm
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_unrolling = False
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    code: bytes = machine.emit_object(module)
    return code
