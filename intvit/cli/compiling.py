"""Telling people why the first start on a machine takes longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from intvit.cli.console import Console
from intvit.kernels.progress import told_of_compiling


@contextmanager
def compiling_noted(console: Console) -> Iterator[None]:
    """Note each kernel that is compiled inside the `with` block, and at first that this happens only once."""
    count = 0

    def note(name: str) -> None:
        nonlocal count
        count += 1
        if count == 1:
            console.note("compiling kernels for this machine; this takes a while, but only once")
        console.note(f"  {count}: {name}")

    with told_of_compiling(note):
        yield
