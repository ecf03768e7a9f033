"""Copy: the elements of one strided array into another."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from intvit.kernels.integer import share
from intvit.kernels.jit import kernel

Array = NDArray[Any]


def _emit_copy(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
    to, source = (builder.inttoptr(a, ir.IntType(8).as_pointer()) for a in arguments[:2])
    cgutils.raw_memcpy(builder, to, source, arguments[2], 1)  # type: ignore[no-untyped-call]
    return context.get_dummy_value()


copy_bytes: Any = intrinsic(lambda typing, to, source, size: (types.void(*[types.int64] * 3), _emit_copy))
"""Copy `size` bytes from one int64 address to another."""


@kernel()
def copy(x: Array, y: Array, offsets: Array, rows: int, x_stride: int, y_stride: int, size: int, part: int, parts: int) -> None:
    """Copy blocks of rows of bytes from `x` to `y`.

    Args:
        x: u8, the first bytes of what is read.
        y: u8, the first bytes of what is written.
        offsets: s64 [B, 2], where each block starts in x and in y, in bytes.
        rows: how many rows a block has, `x_stride` and `y_stride` bytes apart.
        size: bytes of a row.
    """
    start, stop = share(len(offsets), part, parts)
    for block in range(start, stop):
        source, to = x.ctypes.data + offsets[block, 0], y.ctypes.data + offsets[block, 1]
        for row in range(rows):
            copy_bytes(to + row * y_stride, source + row * x_stride, size)
