"""One combination of threads and batch: all engines opened for it and timed in turns."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from intvit.bench.engines.engine import BenchEngine
from intvit.bench.inputs import Inputs
from intvit.bench.interleave import Call, Effort, Progress, take_turns
from intvit.bench.limit import Limit


@dataclass(frozen=True, order=True)
class Case:
    """How many threads compute how many images at a time."""

    threads: int
    batch: int

    def describe(self) -> str:
        """Return the case in words."""
        return f"{self.threads} thread{'s' * (self.threads > 1)}, batch {self.batch}"


@dataclass(frozen=True)
class CaseTimes:
    """What was measured in one case.

    Attributes:
        case: the case.
        seconds: of one run, one value a round, by the engine's name.
        limit: multiply-accumulates a second that one core could do at most just then, likewise.
        core_share: which part of the time this process had the core when it wanted it.
        failures: why an engine has no times, by its name.
    """

    case: Case
    seconds: Mapping[str, list[float]]
    limit: Mapping[str, list[float]]
    core_share: float
    failures: Mapping[str, str]


def time_case(
    models: Mapping[BenchEngine, Path], case: Case, inputs: Inputs, effort: Effort, progress: Progress | None = None
) -> CaseTimes:
    """Time all engines in one case.

    Args:
        models: the file that each engine runs; the first engine must work, the others may fail.
        case: threads and batch.
        inputs: at least as many images as a batch has.
        effort: how long to measure.
        progress: called with (rounds done, rounds in all).

    Raises:
        IntvitError: what the first engine raises.
    """
    limit = Limit()
    calls: dict[str, Call] = {}
    failures: dict[str, str] = {}
    for engine, model in models.items():
        try:
            calls[engine.name] = opened(engine, model, case, inputs)
        except Exception as error:  # peers raise all kinds of errors
            if not calls:
                raise
            failures[engine.name] = reason(error)
    turns = take_turns(calls, limit, effort, progress)
    seconds = {name: [turn.seconds for turn in each] for name, each in turns.items()}
    rates = {name: [limit.macs / turn.gauge for turn in each] for name, each in turns.items()}
    return CaseTimes(case, seconds, rates, limit.core_share, failures)


def opened(engine: BenchEngine, model: Path, case: Case, inputs: Inputs) -> Callable[[], object]:
    """Return the call that runs one batch on an engine, after one run of it."""
    batch = inputs.batch(case.batch)
    with quiet():
        call = partial(engine.open(model, case.threads, case.batch), batch.pixels if engine.takes_pixels else batch.images)
        call()
    return call


def reason(error: Exception) -> str:
    """Return the first line of an error."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what libraries print and log away from the command's output."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
