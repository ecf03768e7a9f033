"""Short forms for the LLVM vector instructions that tiles and vectors are written in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def prefetch(builder: Any, address: Any, cache: int) -> None:
    """Fetch the line at an int64 address, which need not exist, into the first or the second cache."""
    pointer = builder.inttoptr(address, I8.as_pointer())
    call(builder, "llvm.prefetch.p0", ir.VoidType(), pointer, I32(0), I32(4 - cache), I32(1))


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


def saturate(builder: Any, values: Any, element: Any) -> Any:
    """Return each signed lane as a narrower integer, the nearest that fits."""
    low, high = (constant(values.type, n) for n in (-(1 << (element.width - 1)), (1 << (element.width - 1)) - 1))
    values = builder.select(builder.icmp_signed("<", values, low), low, values)
    values = builder.select(builder.icmp_signed(">", values, high), high, values)
    return builder.trunc(values, vector(element, values.type.count))


def opaque(builder: Any, value: Any) -> Any:
    """Return an integer that LLVM takes for unknown."""
    code = ir.InlineAsm(ir.FunctionType(value.type, [value.type]), "", "=r,0", side_effect=False)
    return builder.call(code, [value])


def native_bits() -> int:
    """Return how long the vectors are for which this CPU has x86's instructions of integers, or 0."""
    features = host_features()
    return 512 if "avx512bw" in features else 256 if "avx2" in features else 0


def split(builder: Any, values: Any, lanes: int) -> list[Any]:
    """Return a vector's lanes as shorter vectors, of so many lanes each."""
    return [shuffle(builder, values, values, range(start, start + lanes)) for start in range(0, values.type.count, lanes)]


def call_in_pieces(builder: Any, name: str, result: Any, operands: Sequence[Any]) -> Any:
    """Call an intrinsic function of vectors of `native_bits`, as often as longer vectors need it, and join the results."""
    lanes = native_bits() // operands[0].type.element.width
    kind = vector(result.element, native_bits() // result.element.width)
    pieces = [call(builder, name, kind, *each) for each in zip(*(split(builder, v, lanes) for v in operands), strict=True)]
    while len(pieces) > 1:
        pieces = [shuffle(builder, x, y, range(2 * x.type.count)) for x, y in zip(pieces[::2], pieces[1::2], strict=True)]
    return pieces[0]


SHIFTS = {"sll": "shl", "srl": "lshr", "sra": "ashr"}
"""LLVM's names of x86's shifts."""


def shift_lanes(builder: Any, shift: str, values: Any, amount: Any) -> Any:
    """Shift by a number as `SHIFTS` says; on x86 each lane by its own, as shifting all by one takes it two steps."""
    bits, kind = native_bits(), values.type
    amounts, width = repeat(builder, amount, kind.count), kind.element.width
    if (bits != 512 and (bits != 256 or width != 32)) or kind.count * width % bits:
        return getattr(builder, SHIFTS[shift])(values, amounts)
    name = f"llvm.x86.avx{512 if bits == 512 else 2}.p{shift}v.{'wdq'[width // 32]}.{bits}"
    return call_in_pieces(builder, name, kind, (values, amounts))
