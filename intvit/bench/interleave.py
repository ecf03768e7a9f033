"""Taking turns: every round times every call once, in a rotating order, so that all of them meet the same machine."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

Name = TypeVar("Name")
Call = Callable[[], object]
Progress = Callable[[int, int], None]

WARM_UPS = 2
TURN_SECONDS = 0.03
MAX_REPEATS = 32
MIN_ROUNDS, MAX_ROUNDS = 5, 200
SETTLE_SECONDS = 0.1
_IDLE_SHARE = 0.1
_NAP_SECONDS = 0.001


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        seconds: about how long all rounds together may take.
        rounds: how many rounds, whatever they take; None to fit them into `seconds`.
    """

    seconds: float = 20.0
    rounds: int | None = None

    def rounds_of(self, seconds_a_round: float) -> int:
        """Return how many rounds to run, if one takes that long."""
        if self.rounds is not None:
            return self.rounds
        return max(MIN_ROUNDS, min(MAX_ROUNDS, int(self.seconds / max(seconds_a_round, 1e-9))))


class Turn(NamedTuple):
    """What one turn took: seconds a call, and of the gauge beside it."""

    seconds: float
    gauge: float


def interleave(calls: Mapping[Name, Call], effort: Effort, progress: Progress | None = None) -> dict[Name, list[float]]:
    """Time calls in turns, as `take_turns` does, and return seconds a call, one value a round, by name."""
    turns = take_turns(calls, _nothing, effort, progress)
    return {name: [turn.seconds for turn in each] for name, each in turns.items()}


def take_turns(
    calls: Mapping[Name, Call], gauge: Call, effort: Effort, progress: Progress | None = None
) -> dict[Name, list[Turn]]:
    """Time calls in turns, and a gauge of the machine's speed right beside each, as that speed may change from turn to turn.

    A turn is one untimed call, which brings the call's data back into the caches and wakes its threads, and then as many
    timed ones as fit into `TURN_SECONDS`, at least one, between two calls of the gauge. It counts as one value, their median,
    and the gauge's mean.

    Args:
        calls: what to time; all have been set up.
        gauge: what to time before and after.
        effort: how long to measure.
        progress: called with (rounds done, rounds in all).

    Returns:
        One turn a round, by name.
    """
    repeats = {name: repeats_of(_warm_up(call)) for name, call in calls.items()}
    names = list(calls)
    turns: dict[Name, list[Turn]] = {name: [] for name in names}
    with _no_collection():
        started = time.perf_counter()
        for name in names:
            _turn(calls[name], gauge, repeats[name])
        rounds = effort.rounds_of(time.perf_counter() - started)
        for i in range(rounds):
            if progress:
                progress(i, rounds)
            for name in rotated(names, i):
                turns[name].append(_turn(calls[name], gauge, repeats[name]))
    if progress:
        progress(rounds, rounds)
    return turns


def rotated(names: Sequence[Name], round_index: int) -> list[Name]:
    """Return the order of one round: each starts one further, and every second circle goes backward.

    So each name is first equally often, and does not always follow the same one.
    """
    start = round_index % len(names)
    order = [*names[start:], *names[:start]]
    return order if round_index // len(names) % 2 == 0 else order[::-1]


def repeats_of(seconds: float) -> int:
    """Return how many timed calls make a turn."""
    return max(1, min(MAX_REPEATS, int(TURN_SECONDS / max(seconds, 1e-9))))


def _turn(call: Call, gauge: Call, repeats: int) -> Turn:
    _settle()
    call()
    before = _seconds(gauge)
    seconds = statistics.median(_seconds(call) for _ in range(repeats))
    return Turn(seconds, (before + _seconds(gauge)) / 2)


def _nothing() -> None:
    pass


def _warm_up(call: Call) -> float:
    return min(_seconds(call) for _ in range(WARM_UPS))


def _seconds(call: Call) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _settle() -> None:
    """Wait until the threads of whoever ran before have stopped to wait busily."""
    deadline = time.perf_counter() + SETTLE_SECONDS
    while time.perf_counter() < deadline:
        wall, busy = time.perf_counter(), time.process_time()
        time.sleep(_NAP_SECONDS)
        if time.process_time() - busy < _IDLE_SHARE * (time.perf_counter() - wall):
            return


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector out of the timed calls."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
