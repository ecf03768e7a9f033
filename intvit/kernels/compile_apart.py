"""Compiling kernels into the cache by several processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from typing import Any

from numba import types

from intvit.kernels.native import Source, load_entry
from intvit.kernels.object_code import read_cached
from intvit.kernels.progress import tell_of_compiling, told_of_compiling

Function = Callable[..., Any]
Signature = tuple[types.Type, ...]


def compile_apart(sources: Sequence[Source], processes: int) -> Iterator[str]:
    """Compile in other processes what the cache does not hold, and give the name of each kernel once it is there.

    A process gets all signatures of a kernel, as they have most of what is compiled in common.

    Args:
        sources: as `intvit.kernels.jit.only_noted` lists them; there must be a cache.
        processes: how many at most. They are spawned, so the main module must be one that can be imported.
    """
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
