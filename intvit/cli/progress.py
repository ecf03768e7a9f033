"""Progress of long work: a bar on a terminal, a line at the start and end of each stage elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from intvit.cli.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class StageProgress:
    """Call it with (stage, done, in all), inside a `with` block."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console as RichConsole
            from rich.progress import Progress

            self._bars = Progress(console=RichConsole(stderr=True), transient=True)
            self._bars.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show how far a stage is."""
        if self._bars:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done)
            return
        if stage not in self._started:
            self._started[stage] = time.perf_counter()
            self._console.note(f"{stage}: {total} to do")
        if done == total:
            self._console.note(f"{stage}: done in {time.perf_counter() - self._started[stage]:.1f} s")
