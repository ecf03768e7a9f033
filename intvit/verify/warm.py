"""Compiling ahead: everything that a quantized Vision Transformer needs, before there is a model."""

from __future__ import annotations

from itertools import product

from intvit.kernels.cache import cache_folder
from intvit.kernels.compile_apart import compile_apart
from intvit.kernels.jit import only_noted
from intvit.kernels.progress import told_of_compiling
from intvit.kernels.simd import Level
from intvit.runtime.engine import Engine
from intvit.verify.sample import Shape, sample_vit


def warm_kernels(level: Level | None = None, processes: int = 1) -> list[str]:
    """Compile the kernels of all recipes into the cache.

    Args:
        level: the SIMD level; by default the one that would be used.
        processes: how many processes share the work. They are spawned, so a script that asks for more than one needs
            its `if __name__ == "__main__":`.

    Returns:
        The names of the kernels that had to be compiled, one for each combination of types.

    Raises:
        UsageError: the SIMD level is unknown or can't be run here.
    """
    compiled: list[str] = []
    if processes > 1 and cache_folder():
        with only_noted() as sources:
            _build_engines(level)
        compiled += compile_apart(sources, processes)
    with told_of_compiling(compiled.append):
        _build_engines(level)
    return compiled


def _build_engines(level: Level | None) -> None:
    for tables, wide in product((False, True), repeat=2):
        Engine(sample_vit(Shape(depth=1, tables=tables, wide=wide)), level=level)
