"""Compiling ahead: everything that a quantized Vision Transformer needs, before there is a model."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from itertools import product
from typing import Any

from numba import types

from intvit.kernels.cache import cache_folder
from intvit.kernels.jit import only_noted
from intvit.kernels.native import load_entry
from intvit.kernels.object_code import read_cached
from intvit.kernels.progress import tell_of_compiling, told_of_compiling
from intvit.kernels.simd import Level
from intvit.runtime.engine import Engine
from intvit.verify.sample import Shape, sample_vit

Function = Callable[..., Any]
Signature = tuple[types.Type, ...]


def warm_kernels(level: Level | None = None, processes: int = 1) -> list[str]:
    """Compile the kernels of all recipes into the cache.

    Args:
        level: the SIMD level; by default the one that would be used.
        processes: how many processes share the work. They start as `multiprocessing` starts them, so a script that asks for
            more than one needs its `if __name__ == "__main__":`.

    Returns:
        The names of the kernels that had to be compiled, one for each combination of types.

    Raises:
        UsageError: the SIMD level is unknown or can't be run here.
    """
    compiled = list(_compiled_apart(level, processes)) if processes > 1 and cache_folder() else []
    with told_of_compiling(compiled.append):
        _build_engines(level)
    return compiled


def _build_engines(level: Level | None) -> None:
    for tables, wide in product((False, True), repeat=2):
        Engine(sample_vit(Shape(depth=1, tables=tables, wide=wide)), level=level)


def _compiled_apart(level: Level | None, processes: int) -> Iterator[str]:
    """Compile in other processes what the cache does not hold, and give the name of each kernel once it is there.

    A process gets all signatures of a kernel, as they have most of what is compiled in common.
    """
    with only_noted() as sources:
        _build_engines(level)
    missing = {source.symbol: source for source in sources if read_cached(source.symbol) is None}
    kernels: dict[Function, list[Signature]] = {}
    for source in missing.values():
        kernels.setdefault(source.function, []).append(source.arguments)
    if not kernels:
        return
    with ProcessPoolExecutor(min(processes, len(kernels)), multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(_compile, f.__module__, f.__name__, signatures) for f, signatures in kernels.items()]
        for job in as_completed(jobs):
            for name in job.result():
                tell_of_compiling(name)
                yield name


def _compile(module: str, name: str, signatures: Sequence[Signature]) -> list[str]:
    """Compile a kernel in this process, and return its name for each signature that the cache did not hold."""
    compiled: list[str] = []
    with told_of_compiling(compiled.append):
        for signature in signatures:
            load_entry(getattr(import_module(module), name).source(signature))
    return compiled
