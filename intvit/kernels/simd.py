"""The SIMD level of the matrix kernels: which instruction set, and so which packing of the weights, they use."""

from __future__ import annotations

import functools
import os
from enum import StrEnum
from typing import Any

from llvmlite import binding
from numba.core import config

from intvit.errors import UsageError

VARIABLE = "INTVIT_SIMD"
NUMBA: Any = config
"""Numba's settings, whose names its type stubs leave out."""


class Level(StrEnum):
    """A way to compute matrix products; all give the same bits."""

    PORTABLE = "portable"
    AVX512_VNNI = "avx512_vnni"


@functools.cache
def host_features() -> frozenset[str]:
    """Return the names of the instruction set extensions that Numba compiles for."""
    if NUMBA.CPU_NAME or NUMBA.CPU_FEATURES:
        flags = (NUMBA.CPU_FEATURES or "").split(",")
        return frozenset(flag[1:] for flag in flags if flag.startswith("+"))
    return frozenset(name for name, present in binding.get_host_cpu_features().items() if present)


def supported_levels() -> tuple[Level, ...]:
    """Return the levels this machine can run, fastest first."""
    has_vnni = {"avx512f", "avx512bw", "avx512vnni"} <= host_features()
    return (Level.AVX512_VNNI, Level.PORTABLE) if has_vnni else (Level.PORTABLE,)


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
