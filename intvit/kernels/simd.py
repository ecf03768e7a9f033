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
        right: the element type of packed right operands, s8 or s16.
        lanes: sums in a vector.
        vectors: vectors in a row of the largest tile; its 6 rows fill the registers but for those that hold operands.
    """

    needs: tuple[AbstractSet[str], ...]
    left: np.dtype[Any]
    right: np.dtype[Any]
    lanes: int
    vectors: int

    @property
    def group(self) -> int:
        """How many products one step adds to each sum."""
        return 4 // self.left.itemsize


class Level(StrEnum):
    """A way to compute matrix products, fastest first; all give the same bits.

    Those of words are not chosen: they multiply codes of 16 bits where another level can't.
    """

    AVX512_VNNI = "avx512_vnni"
    AVX_VNNI = "avx_vnni"
    AVX2 = "avx2"
    NEON_DOT = "neon_dot"
    PORTABLE = "portable"
    AVX512_WORDS = "avx512_words"
    AVX2_WORDS = "avx2_words"
    PORTABLE_WORDS = "portable_words"

    @property
    def traits(self) -> Traits:
        """What the kernels need to know of this level."""
        return _TRAITS[self]

    def multiplying(self, left_bits: int, right_bits: int = 8) -> Level:
        """Return the level for operands of 8 or 16 bits: this one, or if they are too wide for it, one of words."""
        fits = left_bits <= 8 * self.traits.left.itemsize and right_bits <= 8 * self.traits.right.itemsize
        return self if fits else _WORDS[self]


_U8, _S8, _S16 = np.dtype(np.uint8), np.dtype(np.int8), np.dtype(np.int16)
_AVX512, _AVX2 = ({"avx512f", "avx512bw", "avx512vnni"},), ({"avx2"},)
_TRAITS = {
    Level.AVX512_VNNI: Traits(_AVX512, _U8, _S8, 16, 4),
    Level.AVX_VNNI: Traits(({"avx2", "avxvnni"}, {"avx512vl", "avx512vnni"}), _U8, _S8, 8, 2),
    Level.AVX2: Traits(_AVX2, _S16, _S8, 8, 2),
    Level.NEON_DOT: Traits(({"dotprod"},), _S8, _S8, 4, 4),
    Level.PORTABLE: Traits((set(),), _S16, _S8, 4, 2),
    Level.AVX512_WORDS: Traits(_AVX512, _S16, _S16, 16, 4),
    Level.AVX2_WORDS: Traits(_AVX2, _S16, _S16, 8, 2),
    Level.PORTABLE_WORDS: Traits((set(),), _S16, _S16, 4, 2),
}
_WORDS = {
    Level.AVX512_VNNI: Level.AVX512_WORDS,
    Level.AVX_VNNI: Level.AVX2_WORDS,
    Level.AVX2: Level.AVX2_WORDS,
    Level.NEON_DOT: Level.PORTABLE_WORDS,
    Level.PORTABLE: Level.PORTABLE_WORDS,
}
"""The levels that can be chosen, and those of words beside them."""


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
    return tuple(level for level in _WORDS if any(needs <= host_features() for needs in level.traits.needs))


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
        known = name in _WORDS
        raise UsageError(
            "this machine can't run that SIMD level" if known else "unknown SIMD level",
            where=VARIABLE,
            expected=" or ".join(supported),
            found=name,
            hint=f"unset {VARIABLE} to take the fastest supported level",
        )
    return Level(name)
