"""The AVX-512 VNNI dot-product tile, written as LLVM vector instructions.

A tile is up to 6 rows by 1 or 4 vectors of 16 int32 sums, all held in registers while the depth is walked four bytes at a
time: a vector of packed weights `[depth/4][columns][4]` meets four bytes of each row, repeated over the lanes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS, LANES, VECTORS = 6, 16, 4

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_SUMS, _BYTES = ir.VectorType(_I32, LANES), ir.VectorType(_I8, 4 * LANES)
_DOT = "llvm.x86.avx512.vpdpbusd.512"


def _typed_tile(_context: Any, *arguments: Any) -> Any:
    return types.void(*(types.int64 for _ in arguments)), _emit_tile


def _emit_tile(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    """Emit a switch over the tile's shape, with one loop nest for each."""
    *operands, rows, vectors = arguments
    done = builder.append_basic_block("tile.done")
    shape = builder.add(builder.mul(rows, _I64(VECTORS + 1)), vectors)
    switch = builder.switch(shape, done)
    for r in range(1, ROWS + 1):
        for v in (1, VECTORS):
            block = builder.append_basic_block(f"tile.{r}x{v}")
            switch.add_case(_I64(r * (VECTORS + 1) + v), block)
            builder.position_at_end(block)
            _emit_shape(builder, operands, r, v)
            builder.branch(done)
    builder.position_at_end(done)
    return context.get_dummy_value()


def _emit_shape(builder: Any, operands: list[Any], rows: int, vectors: int) -> None:
    """Emit `out[r] = bias + sum over k of (x[r, k] ^ flip) * packed[k]` for one tile shape."""
    x, x_stride, flip, packed, quads, bias, out, out_stride = operands
    x_rows = [builder.add(x, builder.mul(x_stride, _I64(r))) for r in range(rows)]
    starts = [_load(builder, builder.add(bias, _I64(4 * LANES * v)), _SUMS, 4) for v in range(vectors)]
    flips = _repeat(builder, builder.trunc(flip, _I32))
    dot = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_SUMS, [_SUMS, _BYTES, _BYTES]), _DOT)

    before, loop = builder.block, builder.append_basic_block("tile.k")
    after = builder.append_basic_block("tile.store")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(_I64)
    sums = [[builder.phi(_SUMS) for _ in range(vectors)] for _ in range(rows)]
    weights_at = builder.add(packed, builder.mul(k, _I64(4 * LANES * vectors)))
    weights = [_load(builder, builder.add(weights_at, _I64(4 * LANES * v)), _BYTES, 64) for v in range(vectors)]
    updated = []
    for r in range(rows):
        quad = _load(builder, builder.add(x_rows[r], builder.mul(k, _I64(4))), _I32, 1)
        codes = builder.bitcast(builder.xor(_repeat(builder, quad), flips), _BYTES)
        updated.append([builder.call(dot, [sums[r][v], codes, weights[v]]) for v in range(vectors)])
    k_next = builder.add(k, _I64(1))
    builder.cbranch(builder.icmp_signed("<", k_next, quads), loop, after)

    k.add_incoming(_I64(0), before)
    k.add_incoming(k_next, loop)
    for r in range(rows):
        for v in range(vectors):
            sums[r][v].add_incoming(starts[v], before)
            sums[r][v].add_incoming(updated[r][v], loop)
    builder.position_at_end(after)
    for r in range(rows):
        row = builder.add(out, builder.mul(out_stride, _I64(r)))
        for v in range(vectors):
            _store(builder, updated[r][v], builder.add(row, _I64(4 * LANES * v)))


def _repeat(builder: Any, value: Any) -> Any:
    """Return an int32 in every lane of a vector."""
    one = builder.insert_element(ir.Constant(_SUMS, ir.Undefined), value, _I32(0))
    return builder.shuffle_vector(one, ir.Constant(_SUMS, ir.Undefined), ir.Constant(_SUMS, [0] * LANES))


def _load(builder: Any, address: Any, kind: Any, align: int) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = align
    return value


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 4


vnni_tile = intrinsic(
    lambda typing, x, x_stride, flip, packed, quads, bias, out, out_stride, rows, vectors: _typed_tile(
        typing, x, x_stride, flip, packed, quads, bias, out, out_stride, rows, vectors
    )
)
"""Compute one tile: addresses and byte strides as int64; `quads` is depth / 4, at least 1; `flip` is XORed to each 4 bytes of x."""
