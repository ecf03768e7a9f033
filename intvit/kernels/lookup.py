"""Reading tables of 256 bytes or 64 words in lanes, at every SIMD level."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from intvit.kernels.simd import host_features
from intvit.kernels.vector_ir import I8, I16, I32, call, constant, join, load, shuffle, split, vector
from intvit.kernels.vector_type import vector_function

ENTRIES = 256
"""Of a table of bytes."""
WORDS = 64
"""Of a table of words."""
PACK_UNSIGNED, PICK_BYTES, PICK_WORDS = (
    f"llvm.x86.avx512.{name}.512" for name in ("packuswb", "vpermi2var.qi", "vpermi2var.hi")
)


@vector_function
def lookup(_typing: Any, table: Any, index: Any) -> Any:
    """Return `table[index]` of s16 lanes, at index 0 for those below it and at the last one for those beyond it.

    `table` is u8 [256], which nothing writes to meanwhile.
    """

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        data = context.make_array(table)(context, builder, arguments[0]).data
        whole = index.lanes % 64 == 0
        if whole and "avx512vbmi" in host_features():
            return _in_bytes(builder, data, arguments[1])
        if whole and "avx512bw" in host_features():
            return _in_words(builder, data, arguments[1])
        return _one_by_one(builder, data, _limited(builder, arguments[1]))

    return index(table, index), emit


@vector_function
def lookup_words(_typing: Any, table: Any, index: Any) -> Any:
    """Return `table[index mod 64]` of u16 lanes; `table` is s16 [64], which nothing writes to meanwhile."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        data, at = context.make_array(table)(context, builder, arguments[0]).data, arguments[1]
        if index.lanes % 32 or "avx512bw" not in host_features():
            return _one_by_one(builder, data, builder.and_(at, constant(at.type, WORDS - 1)))
        a, b = _registers(builder, data, I16, 2)
        return join(builder, [call(builder, PICK_WORDS, a.type, a, piece, b) for piece in split(builder, at, 32)])

    return index(table, index), emit


def _registers(builder: Any, data: Any, element: Any, count: int) -> list[Any]:
    """Load a table as vectors of 512 bits, which may stay in registers."""
    address, kind = builder.ptrtoint(data, ir.IntType(64)), vector(element, 512 // element.width)
    loads = [load(builder, builder.add(address, ir.Constant(address.type, 64 * i)), kind) for i in range(count)]
    for one in loads:
        one.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loads


def _in_bytes(builder: Any, data: Any, index: Any) -> Any:
    """Pack two vectors of words to one of bytes, the low of their halves of every 128 bits first, and unpack what is read."""
    a, b, c, d = _registers(builder, data, I8, 4)
    words = []
    pieces = split(builder, index, 32)
    for first, last in zip(pieces[::2], pieces[1::2], strict=True):
        at = call(builder, PACK_UNSIGNED, a.type, first, last)
        low, high = (call(builder, PICK_BYTES, a.type, x, at, y) for x, y in ((a, b), (c, d)))
        entries = builder.select(builder.icmp_signed("<", at, constant(at.type, 0)), high, low)
        for half in (0, 8):
            lanes = [16 * (i // 16) + half + i % 16 // 2 + 64 * (i & 1) for i in range(64)]
            words.append(builder.bitcast(shuffle(builder, entries, constant(entries.type, 0), lanes), first.type))
    return join(builder, words)


def _in_words(builder: Any, data: Any, index: Any) -> Any:
    """Read the pair of bytes that each lane's byte belongs to, then shift it down."""
    a, b, c, d = _registers(builder, data, I16, 4)
    words = []
    for piece in split(builder, _limited(builder, index), 32):
        one, eight, byte = (constant(piece.type, n) for n in (1, 8, 255))
        at = builder.lshr(piece, one)
        low, high = (call(builder, PICK_WORDS, a.type, x, at, y) for x, y in ((a, b), (c, d)))
        far = builder.icmp_signed("<", builder.shl(piece, eight), constant(piece.type, 0))
        pairs = builder.select(far, high, low)
        down = builder.mul(builder.and_(piece, one), eight)
        words.append(builder.and_(builder.lshr(pairs, down), byte))
    return join(builder, words)


def _one_by_one(builder: Any, data: Any, index: Any) -> Any:
    result = ir.Constant(index.type, None)
    for lane in range(index.type.count):
        place = builder.zext(builder.extract_element(index, I32(lane)), I32)
        entry = builder.load(builder.gep(data, [place]))
        if entry.type != I16:
            entry = builder.zext(entry, I16)
        result = builder.insert_element(result, entry, I32(lane))
    return result


def _limited(builder: Any, index: Any) -> Any:
    least, most = constant(index.type, 0), constant(index.type, ENTRIES - 1)
    index = builder.select(builder.icmp_signed("<", index, least), least, index)
    return builder.select(builder.icmp_signed(">", index, most), most, index)
