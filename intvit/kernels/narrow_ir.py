"""Narrowing several vectors of int32 to one vector of narrower integers that saturate, at every SIMD level."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from intvit.kernels.vector_ir import I8, I16, I32, call, join, saturate, shuffle, vector

PACK = {
    512: {I16: "llvm.x86.avx512.packssdw.512", I8: "llvm.x86.avx512.packsswb.512"},
    256: {I16: "llvm.x86.avx2.packssdw", I8: "llvm.x86.avx2.packsswb"},
}
"""The instructions that narrow two vectors of these bits to one, alternating between them every 128 bits."""


def narrow(builder: Any, values: list[Any], element: Any) -> Any:
    """Return the lanes of 1 to 4 vectors as one vector of s8, s16 or s32; what does not fit becomes the nearest that does.

    Vectors of 256 or 512 bits are those of an x86 CPU.
    """
    if element == I32:
        return join(builder, values)
    if 32 * values[0].type.count in PACK:
        return _pack(builder, values, element)
    return saturate(builder, join(builder, values), element)


def _pack(builder: Any, values: list[Any], element: Any) -> Any:
    """Narrow by pairs of vectors, first to 16 bits and then to 8, and put the lanes in order at the end."""
    lanes = values[0].type.count
    instructions = PACK[32 * lanes]
    columns = [list(range(lanes * v, lanes * (v + 1))) for v in range(len(values))]
    for step in (I16, I8) if element == I8 else (I16,):
        if len(values) % 2:
            values, columns = [*values, values[-1]], [*columns, columns[-1]]
        pairs = zip(values[::2], values[1::2], strict=True)
        kind = vector(step, lanes * 32 // step.width)
        values = [call(builder, instructions[step], kind, a, b) for a, b in pairs]
        columns = [_alternate(a, b, kind.count * step.width // 128) for a, b in zip(columns[::2], columns[1::2], strict=True)]
    whole, order = join(builder, values), [c for part in columns for c in part]
    count = max(order) + 1
    return shuffle(builder, whole, ir.Constant(whole.type, ir.Undefined), [order.index(c) for c in range(count)])


def _alternate(a: list[int], b: list[int], blocks: int) -> list[int]:
    size = len(a) // blocks
    return [c for i in range(blocks) for part in (a, b) for c in part[i * size : (i + 1) * size]]
