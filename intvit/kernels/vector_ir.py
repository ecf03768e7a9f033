"""Short forms for the LLVM vector instructions that tiles and vectors are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from intvit.kernels.simd import host_features

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))


def vector(element: Any, lanes: int) -> Any:
    """Return a vector type."""
    return ir.VectorType(element, lanes)


def constant(kind: Any, value: int) -> Any:
    """Return a vector with the same number in every lane."""
    return ir.Constant(kind, [value] * kind.count)


def load(builder: Any, address: Any, kind: Any) -> Any:
    """Load from an int64 address that need not be aligned."""
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 1
    return value


def store(builder: Any, value: Any, address: Any) -> None:
    """Store to an int64 address that need not be aligned."""
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 1


def prefetch(builder: Any, address: Any) -> None:
    """Fetch the cache line at an int64 address, which need not exist, to be read soon and often."""
    pointer = builder.inttoptr(address, I8.as_pointer())
    call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, I32(0), I32(3), I32(1))


def shuffle(builder: Any, a: Any, b: Any, lanes: Iterable[int]) -> Any:
    """Return those lanes of `a` and then `b`."""
    picked = list(lanes)
    return builder.shuffle_vector(a, b, ir.Constant(vector(I32, len(picked)), picked))


def repeat(builder: Any, value: Any, lanes: int) -> Any:
    """Return a scalar in every lane of a vector."""
    kind = vector(value.type, lanes)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), value, I32(0))
    return shuffle(builder, one, ir.Constant(kind, ir.Undefined), [0] * lanes)


def call(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call an LLVM intrinsic function."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)  # type: ignore[no-untyped-call]


def join(builder: Any, parts: list[Any]) -> Any:
    """Return the lanes of 1, 2, 3 or 4 vectors of one type as one vector."""
    lanes = parts[0].type.count
    whole = parts[0]
    for i, part in enumerate(parts[1:], 1):
        wide = shuffle(builder, part, ir.Constant(part.type, ir.Undefined), [*range(lanes), *[lanes] * (lanes * (i - 1))])
        whole = shuffle(builder, whole, wide, [*range(lanes * i), *range(lanes * i, lanes * (i + 1))])
    return whole


def opaque(builder: Any, value: Any, register: str = "r") -> Any:
    """Return an integer, or on x86 a vector in a `register` of class v, that LLVM takes for unknown."""
    code = ir.InlineAsm(ir.FunctionType(value.type, [value.type]), "", f"={register},0", side_effect=False)
    return builder.call(code, [value], attrs=("nounwind", "readnone"))


def shift_amounts(builder: Any, amount: Any, lanes: int) -> Any:
    """Return an amount in every lane such that x86 shifts each by its own: shifts by one number for all take it two steps."""
    features, width = host_features(), amount.type.width
    if "avx512bw" not in features and ("avx2" not in features or width != 32):
        return repeat(builder, amount, lanes)
    whole = min(lanes, (512 if "avx512bw" in features else 256) // width)
    amounts = opaque(builder, repeat(builder, amount, whole), "v")
    return shuffle(builder, amounts, amounts, [i % whole for i in range(lanes)])


def call_own(builder: Any, name: str, arguments: list[Any], emit: Callable[[Any, list[Any]], None]) -> None:
    """Call a function of its own: inside a kernel, values that live around a loop would take registers from it.

    Args:
        builder: where to call.
        name: tells what the function does: all of one name in a module are the same.
        arguments: its arguments.
        emit: emits its body, given a builder and the parameters.
    """
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(ir.VoidType(), [a.type for a in arguments])
        function = ir.Function(builder.module, kind, name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        inside = ir.IRBuilder(function.append_basic_block("entry"))
        emit(inside, list(function.args))
        inside.ret_void()
    builder.call(function, arguments)
