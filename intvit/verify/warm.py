"""Compiling ahead: everything that a quantized Vision Transformer needs, before there is a model."""

from __future__ import annotations

from itertools import product

from intvit.kernels.progress import told_of_compiling
from intvit.kernels.simd import Level
from intvit.runtime.engine import Engine
from intvit.verify.sample import Shape, sample_vit


def warm_kernels(level: Level | None = None) -> list[str]:
    """Compile the kernels of all recipes into the cache.

    Args:
        level: the SIMD level; by default the one that would be used.

    Returns:
        The names of the kernels that had to be compiled, one for each combination of types.

    Raises:
        UsageError: the SIMD level is unknown or can't be run here.
    """
    compiled: list[str] = []
    with told_of_compiling(compiled.append):
        for tables, wide in product((False, True), repeat=2):
            Engine(sample_vit(Shape(depth=1, tables=tables, wide=wide)), level=level)
    return compiled
