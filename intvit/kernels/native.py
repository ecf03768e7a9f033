"""From a kernel to machine code: one native entry for each combination of argument types, kept on disk between runs.

An entry is `void entry(int64 *words, int64 slot, int64 part, int64 parts)`. It unpacks the words into the kernel's arguments
and calls it, so that all kernels can be called alike, from native code and without Python.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import compiler, registry
from numba.core.compiler_lock import global_compiler_lock
from numba.np.arrayobj import make_array, populate_array

from intvit.kernels.object_code import keep, link, read_cached
from intvit.kernels.progress import tell_of_compiling
from intvit.kernels.shared import PREFIX, link_shared

Function = Callable[..., Any]

OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False, "fastmath": False, "_nrt": False}
"""Without `_nrt`, arrays are not reference-counted: kernels never allocate, and their callers keep the memory alive."""
OUTSIDE = frozenset({"memcpy", "memset", "memmove", "sched_yield", "SwitchToThread"})
"""The functions of the system that machine code may call."""

_WORD = ir.IntType(64)
_lock = threading.RLock()
_entries: dict[Source, int] = {}


@dataclass(frozen=True)
class Source:
    """A kernel and the types to compile it for.

    Attributes:
        function: the kernel, a function without globals that change.
        arguments: the Numba types of its arguments, without `part` and `parts`.
        scratch: which arguments lie in one slot a thread.
        can_split: whether it takes `part` and `parts`.
    """

    function: Function
    arguments: tuple[types.Type, ...]
    scratch: tuple[bool, ...]
    can_split: bool

    @functools.cached_property
    def symbol(self) -> str:
        """The entry's name in object code and, with `.o` behind it, in the cache."""
        digest = hashlib.sha256("\0".join(str(kind) for kind in self.arguments).encode()).hexdigest()
        return f"{self.function.__name__}-{digest[:24]}"


def load_entry(source: Source) -> int:
    """Return the address of a kernel's entry, compiled or loaded from the cache on first use."""
    with _lock:
        if source not in _entries:
            _entries[source] = link(source.symbol, _cached(source.symbol) or _compiled(source))
        return _entries[source]


def _cached(symbol: str) -> bytes | None:
    """Return object code from the cache, once the functions that it needs are linked, or None."""
    cached = read_cached(symbol)
    return cached[1] if cached and link_shared(cached[0]) else None


def _compiled(source: Source) -> bytes:
    """Return the object code of an entry, and keep it in the cache."""
    tell_of_compiling(source.function.__name__)
    needs: tuple[str, ...]
    code: bytes
    needs, code = _compile(source)
    keep(source.symbol, needs, code)
    return code


@global_compiler_lock  # type: ignore[untyped-decorator]
def _compile(source: Source) -> tuple[tuple[str, ...], bytes]:
    """Return the shared functions that an entry needs, and its object code."""
    target = registry.cpu_target
    flags: Any = compiler.Flags()  # type: ignore[no-untyped-call]
    flags.no_cpython_wrapper = flags.no_cfunc_wrapper = flags.no_compile = True
    flags.error_model, flags.nrt = OPTIONS["error_model"], OPTIONS["_nrt"]
    context = target.target_context
    arguments = (*source.arguments, *(types.int64,) * (2 * source.can_split))
    typing_context = target.typing_context
    typing_context.refresh()
    context.refresh()
    library = context.codegen().create_library(source.symbol)
    library.enable_object_caching()
    made = compiler.compile_extra(  # type: ignore[no-untyped-call]
        typing_context, context, source.function, arguments, types.void, flags, {}, library
    )
    module = library.create_ir_module(source.symbol)
    _emit_entry(context, module, source, made.fndesc)
    library.add_ir_module(module)
    library.finalize()
    code: bytes = library.serialize_using_object_code()[2][0]
    return _shared_functions(source.symbol, library.get_llvm_str()), code


def _emit_entry(context: Any, module: Any, source: Source, callee: Any) -> None:
    """Emit the function that turns words into arguments and calls the kernel."""
    kind = ir.FunctionType(ir.VoidType(), [_WORD.as_pointer(), _WORD, _WORD, _WORD])
    entry = ir.Function(module, kind, source.symbol)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    words, slot, part, parts = entry.args
    at = (builder.load(builder.gep(words, [_WORD(i)])) for i in range(1 << 16))
    values = [
        _emit_argument(context, builder, argument, slot if in_slot else None, at)
        for argument, in_slot in zip(source.arguments, source.scratch, strict=True)
    ]
    share = [part, parts] if source.can_split else []
    function_type = context.call_conv.get_function_type(callee.restype, callee.argtypes)
    function = ir.Function(module, function_type, callee.llvm_func_name)
    context.call_conv.call_function(builder, function, callee.restype, callee.argtypes, [*values, *share])
    builder.ret_void()


def _emit_argument(context: Any, builder: Any, kind: types.Type, slot: Any, words: Iterator[Any]) -> Any:
    """Emit the value of one argument from the next words, as `intvit.kernels.jit` writes them."""
    if kind == types.int64:
        return next(words)
    if not isinstance(kind, types.Array):
        return context.get_dummy_value()
    address, slot_stride = next(words), next(words)
    if slot is not None:
        address = builder.add(address, builder.mul(slot, slot_stride))
    array = make_array(kind)(context, builder)  # type: ignore[no-untyped-call]
    shape, strides = [[next(words) for _ in range(kind.ndim)] for _ in range(2)]
    size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    data = builder.inttoptr(address, array.data.type)
    populate_array(  # type: ignore[no-untyped-call]
        array, data=data, shape=shape, strides=strides, itemsize=size, meminfo=None
    )
    return array._getvalue()


def _shared_functions(symbol: str, llvm_ir: str) -> tuple[str, ...]:
    """Return the shared functions that machine code calls; RuntimeError if it raises, allocates or uses Python."""
    module = binding.parse_assembly(llvm_ir)
    outside = {f.name for f in module.functions if f.is_declaration and not f.name.startswith("llvm.")}
    shared = {name for name in outside if name.startswith(PREFIX)}
    if others := outside - shared - OUTSIDE:
        raise RuntimeError(f"kernel {symbol} calls {', '.join(sorted(others))}")
    return tuple(sorted(shared))
