"""This project's engine."""

from __future__ import annotations

from pathlib import Path

from intvit.bench.engines.engine import BenchEngine, Run, Source


class IntvitNumba(BenchEngine):
    """The integer model in the Numba engine, from pixels to logits."""

    name = "intvit"
    title = "intvit int8"
    packages = ("intvit", "numba")
    modules = ("intvit.runtime.session", "intvit.runtime.engine")
    takes_pixels = True

    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the integer model as it is."""
        return source.integer

    def open(self, model: Path, threads: int, batch: int) -> Run:
        """Return a session's `run`."""
        from intvit.runtime.session import Session

        return Session(model, threads=threads).run
