"""Reading tables of 256 bytes or 64 words in lanes, at every SIMD level."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from intvit.kernels.simd import host_features
from intvit.kernels.vector_ir import I8, I16, I32, I64, call, constant, join, load, native_bits, shuffle, split, vector
from intvit.kernels.vector_type import vector_function

ENTRIES = 256
"""Of a table of bytes."""
WORDS = 64
"""Of a table of words."""
PICK_BYTES, PICK_WORDS = (f"llvm.x86.avx512.vpermi2var.{kind}.512" for kind in ("qi", "hi"))
PICK_NIBBLES = "llvm.x86.avx2.pshuf.b"
PACK_UNSIGNED = {512: "llvm.x86.avx512.packuswb.512", 256: "llvm.x86.avx2.packuswb"}


@vector_function
def lookup(_typing: Any, table: Any, index: Any) -> Any:
    """Return `table[index]` of s16 lanes, at index 0 for those below it and at the last one for those beyond it.

    `table` is u8 [256], which nothing writes to meanwhile.
    """

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        data, at = context.make_array(table)(context, builder, arguments[0]).data, arguments[1]
        bits = native_bits()
        if not bits or 8 * index.lanes % bits:
            return _one_by_one(builder, data, _limited(builder, at))
        if bits == 512 and "avx512vbmi" not in host_features():
            return _from_pairs(builder, data, _limited(builder, at))
        if bits == 512:
            registers = _registers(builder, data, I8, 4)
            return _in_bytes(builder, at, lambda packed: (_from_bytes(builder, registers, packed), constant(packed.type, 0)))
        chunks = _chunks(builder, data, 16)
        return _in_bytes(builder, at, lambda packed: (_from_chunks(builder, chunks, packed), constant(packed.type, 0)))

    return index(table, index), emit


@vector_function
def lookup_words(_typing: Any, table: Any, index: Any) -> Any:
    """Return `table[index mod 64]` of u16 lanes; `table` is s16 [64], which nothing writes to meanwhile."""

    def emit(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        data, at = context.make_array(table)(context, builder, arguments[0]).data, arguments[1]
        bits = native_bits()
        if bits == 512 and index.lanes % 32 == 0:
            a, b = _registers(builder, data, I16, 2)
            return join(builder, [call(builder, PICK_WORDS, a.type, a, piece, b) for piece in split(builder, at, 32)])
        within = builder.and_(at, constant(at.type, WORDS - 1))
        if bits != 256 or index.lanes % 32:
            return _one_by_one(builder, data, within)
        pairs = [_chunks(builder, data, 8)[i : i + 2] for i in range(0, 8, 2)]
        low, high = ([_bytes_of(builder, a, b, which) for a, b in pairs] for which in (0, 1))
        return _in_bytes(
            builder, within, lambda packed: (_from_chunks(builder, low, packed), _from_chunks(builder, high, packed))
        )

    return index(table, index), emit


def _registers(builder: Any, data: Any, element: Any, count: int, bits: int = 512) -> list[Any]:
    """Load a table as vectors, which may stay in registers."""
    address, kind = builder.ptrtoint(data, I64), vector(element, bits // element.width)
    loads = [load(builder, builder.add(address, I64(bits // 8 * i)), kind) for i in range(count)]
    for one in loads:
        one.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loads


def _chunks(builder: Any, data: Any, count: int) -> list[Any]:
    """Load a table as chunks of 16 bytes, each in both halves of a vector of 256 bits."""
    return [shuffle(builder, a, a, [*range(16), *range(16)]) for a in _registers(builder, data, I8, count, 128)]


def _bytes_of(builder: Any, a: Any, b: Any, which: int) -> Any:
    """Return the low (0) or the high (1) bytes of the words of two chunks as one."""
    lanes = [*range(which, 16, 2), *range(32 + which, 48, 2)]
    return shuffle(builder, a, b, [*lanes, *lanes])


def _in_bytes(builder: Any, index: Any, read: Callable[[Any], Sequence[Any]]) -> Any:
    """Pack each two vectors of words to one of bytes, `read` the low and the high bytes there, and unpack them to words.

    Packing takes the halves of both vectors in turn every 128 bits, and so does unpacking.
    """
    words = []
    lanes = native_bits() // 16
    pieces = split(builder, index, lanes)
    for first, last in zip(pieces[::2], pieces[1::2], strict=True):
        low, high = read(call(builder, PACK_UNSIGNED[native_bits()], vector(I8, 2 * lanes), first, last))
        for half in (0, 8):
            picked = [16 * (i // 16) + half + i % 16 // 2 + 2 * lanes * (i & 1) for i in range(2 * lanes)]
            words.append(builder.bitcast(shuffle(builder, low, high, picked), first.type))
    return join(builder, words)


def _from_bytes(builder: Any, table: list[Any], at: Any) -> Any:
    """Read 256 bytes that four vectors of 512 bits hold."""
    a, b, c, d = table
    low, high = (call(builder, PICK_BYTES, at.type, x, at, y) for x, y in ((a, b), (c, d)))
    return builder.select(builder.icmp_signed("<", at, constant(at.type, 0)), high, low)


def _from_chunks(builder: Any, chunks: list[Any], at: Any) -> Any:
    """Read the bytes of all chunks at the low half of each index, and choose among them by its upper bits, one by one."""
    low = builder.and_(at, constant(at.type, 15))
    entries = [call(builder, PICK_NIBBLES, at.type, chunk, low) for chunk in chunks]
    bit = 4
    while len(entries) > 1:
        set_there = builder.icmp_signed("<", builder.shl(at, constant(at.type, 7 - bit)), constant(at.type, 0))
        entries = [builder.select(set_there, b, a) for a, b in zip(entries[::2], entries[1::2], strict=True)]
        bit += 1
    return entries[0]


def _from_pairs(builder: Any, data: Any, index: Any) -> Any:
    """Read the pair of bytes that each lane's byte belongs to, then shift it down."""
    a, b, c, d = _registers(builder, data, I16, 4)
    words = []
    for piece in split(builder, index, 32):
        one, eight, byte = (constant(piece.type, n) for n in (1, 8, 255))
        at = builder.lshr(piece, one)
        low, high = (call(builder, PICK_WORDS, a.type, x, at, y) for x, y in ((a, b), (c, d)))
        far = builder.icmp_signed("<", builder.shl(piece, eight), constant(piece.type, 0))
        pairs = builder.select(far, high, low)
        down = builder.mul(builder.and_(piece, one), eight)
        words.append(builder.and_(builder.lshr(pairs, down), byte))
    return join(builder, words)


def _one_by_one(builder: Any, data: Any, index: Any) -> Any:
    """Read entries of bytes or words from memory, at s16 or u16 lanes that the table holds."""
    result = ir.Constant(index.type, None)
    for lane in range(index.type.count):
        place = builder.zext(builder.extract_element(index, I32(lane)), I32)
        entry = builder.load(builder.gep(data, [place]))
        if entry.type != I16:
            entry = builder.zext(entry, I16)
        result = builder.insert_element(result, entry, I32(lane))
    return result


def _limited(builder: Any, index: Any) -> Any:
    """Return s16 lanes limited to the places of a table of bytes."""
    least, most = constant(index.type, 0), constant(index.type, ENTRIES - 1)
    index = builder.select(builder.icmp_signed("<", index, least), least, index)
    return builder.select(builder.icmp_signed(">", index, most), most, index)
