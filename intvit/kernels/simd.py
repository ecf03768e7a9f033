"""The SIMD level of the matrix kernels: which instruction set, and so which packing of the weights, they use."""

from __future__ import annotations

import functools
import os
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from llvmlite import binding
from numba.core import config

from intvit.errors import UsageError

VARIABLE = "INTVIT_SIMD"
NUMBA: Any = config
"""Numba's settings, whose names its type stubs leave out."""


@dataclass(frozen=True)
class Traits:
    """What the kernels need to know of a level.

    Attributes:
        needs: sets of CPU features, each of which is enough.
        left: the element type of left operands; a step of the dot product takes four bytes of them.
        lanes: sums in a vector.
        vectors: vectors in a row of the largest tile; its 6 rows fill the registers but for those that hold operands.
    """

    needs: tuple[AbstractSet[str], ...]
    left: np.dtype[Any]
    lanes: int
    vectors: int

    @property
    def group(self) -> int:
        """How many products one step adds to each sum."""
        return 4 // self.left.itemsize


class Level(StrEnum):
    """A way to compute matrix products, fastest first; all give the same bits."""

    AVX512_VNNI = "avx512_vnni"
    AVX_VNNI = "avx_vnni"
    AVX2 = "avx2"
    NEON_DOT = "neon_dot"
    PORTABLE = "portable"

    @property
    def traits(self) -> Traits:
        """What the kernels need to know of this level."""
        return _TRAITS[self]


_TRAITS = {
    Level.AVX512_VNNI: Traits(({"avx512f", "avx512bw", "avx512vnni"},), np.dtype(np.uint8), 16, 4),
    Level.AVX_VNNI: Traits(({"avx2", "avxvnni"}, {"avx512vl", "avx512vnni"}), np.dtype(np.uint8), 8, 2),
    Level.AVX2: Traits(({"avx2"},), np.dtype(np.int16), 8, 2),
    Level.NEON_DOT: Traits(({"dotprod"},), np.dtype(np.int8), 4, 4),
    Level.PORTABLE: Traits((set(),), np.dtype(np.int16), 4, 2),
}


@functools.cache
def host_features() -> frozenset[str]:
    """Return the names of the instruction set extensions that Numba compiles for."""
    if NUMBA.CPU_NAME or NUMBA.CPU_FEATURES:
        flags = (NUMBA.CPU_FEATURES or "").split(",")
        return frozenset(flag[1:] for flag in flags if flag.startswith("+"))
    found = {name for name, present in binding.get_host_cpu_features().items() if present}
    if binding.get_host_cpu_name().startswith("apple-m"):
        found.add("dotprod")  # every one has it, whether or not LLVM lists their features
    return frozenset(found)


def supported_levels() -> tuple[Level, ...]:
    """Return the levels this machine can run, fastest first."""
    return tuple(level for level in Level if any(needs <= host_features() for needs in level.traits.needs))


def current_level() -> Level:
    """Return the level to use: the environment variable `INTVIT_SIMD`, else the fastest supported one.

    Raises:
        UsageError: the variable names no level, or one that this machine can't run.
    """
    supported = supported_levels()
    name = os.environ.get(VARIABLE)
    if not name:
        return supported[0]
    if name not in supported:
        known = name in list(Level)
        raise UsageError(
            "this machine can't run that SIMD level" if known else "unknown SIMD level",
            where=VARIABLE,
            expected=" or ".join(supported),
            found=name,
            hint=f"unset {VARIABLE} to take the fastest supported level",
        )
    return Level(name)
