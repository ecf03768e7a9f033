"""A probe of the machine's integer limit: the largest tile of a SIMD level, again and again on the same data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.aligned import ALIGNMENT, aligned_copy
from intvit.kernels.jit import Step, kernel
from intvit.kernels.simd import Level
from intvit.kernels.tile import dot_tile, operand_type, tile_rows, tile_shape

Array = NDArray[Any]

DATA = 96 << 10
"""Bytes of data: they stay in any second cache, and so many that the ends of the tile hardly count."""
BURST = 1 << 27
"""Multiply-accumulates in a burst, at least: about a millisecond."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Computes tiles when it is called; `macs` is how many multiply-accumulates one call does."""

    macs: int
    step: Step

    def __call__(self) -> None:
        """Run one burst."""
        self.step()


@kernel()
def repeat_tile(level: Level, x: Array, packed: Array, depth: int, bias: Array, sums: Array, times: int) -> None:
    """Compute one tile many times.

    Args:
        level: decides the instructions.
        x: of `operand_type(level)` [rows, depth], `packed`: of `Traits.right` [depth * columns], `bias`: s32 [columns].
        depth: padded.
        sums: s32 of `tile_shape(level)`.
        times: how often.
    """
    for _ in range(times):
        dot_tile(level, x, 0, tile_rows(level), 0, sums.shape[1], packed, depth, bias, sums, 0, 0)


def make_probe(level: Level) -> Probe:
    """Return the probe of a level."""
    rows, columns = tile_shape(level)
    left = operand_type(level)
    depth = DATA // (columns + rows * left.itemsize) // ALIGNMENT * ALIGNMENT
    x = aligned_copy(np.resize(np.arange(1, 120), (rows, depth)).astype(left))
    packed = aligned_copy(np.resize(np.arange(-120, 120), depth * columns).astype(level.traits.right))
    bias, sums = (aligned_copy(np.zeros(shape, np.int32)) for shape in (columns, (rows, columns)))
    macs = rows * columns * depth
    times = -(-BURST // macs)
    return Probe(times * macs, repeat_tile.bind(level, x, packed, depth, bias, sums, times))
