"""What more threads and larger batches bring to one engine; its cases are timed in turns, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intvit.bench.case import Case, opened
from intvit.bench.engines.engine import BenchEngine
from intvit.bench.inputs import Inputs
from intvit.bench.interleave import Call, Effort, Progress, interleave
from intvit.bench.limit import limit_of_threads
from intvit.bench.statistics import Ratio, ratio


@dataclass(frozen=True)
class Gain:
    """One case against a smaller one, per image.

    Attributes:
        case: the larger case.
        base: the smaller one: fewer threads, or a smaller batch.
        speedup: how many times as fast an image is.
    """

    case: Case
    base: Case
    speedup: Ratio


@dataclass(frozen=True)
class Scaling:
    """What more threads and larger batches bring.

    Attributes:
        gains: to the engine.
        machine: to the bare micro-kernel, on so many threads against one.
    """

    gains: Sequence[Gain]
    machine: Mapping[int, Ratio]


def time_scaling(
    engine: BenchEngine, model: Path, cases: Sequence[Case], inputs: Inputs, effort: Effort, progress: Progress | None = None
) -> Scaling:
    """Time one engine's cases in turns, and the bare micro-kernel on as many threads, and compare them.

    Every case computes about as many images a turn as the largest batch has, so that all meet the machine for equally long.
    Raises what the engine raises.
    """
    most = max(case.batch for case in cases)
    runs = {case: most // case.batch for case in cases}
    threads = sorted({1, *(case.threads for case in cases)})
    calls: dict[Case | int, Call] = {case: _again(opened(engine, model, case, inputs), runs[case]) for case in cases}
    calls |= {count: limit_of_threads(count) for count in threads}
    seconds = interleave(calls, effort, progress)
    of_a_run = {case: [value / runs[case] for value in seconds[case]] for case in cases}
    return Scaling(gains(of_a_run), {count: limit_gain(count, seconds[1], seconds[count]) for count in threads if count > 1})


def limit_gain(threads: int, alone: Sequence[float], together: Sequence[float]) -> Ratio:
    """Return how many times as much work threads do together, each as much in `together` seconds as one in `alone`."""
    return ratio([threads * value for value in alone], together)


def _again(call: Call, times: int) -> Call:
    def run() -> None:
        for _ in range(times):
            call()

    return run


def gains(seconds: Mapping[Case, Sequence[float]]) -> list[Gain]:
    """Compare every case with the one of the fewest threads at its batch, and with the smallest batch at its threads.

    Args:
        seconds: of one run, one value a round, by case.
    """
    found = []
    for case in sorted(seconds):
        fewest = min(other for other in seconds if other.batch == case.batch)
        smallest = min((other for other in seconds if other.threads == case.threads), key=lambda other: other.batch)
        found += [(case, base) for base in (fewest, smallest) if base != case]
    per_image = {case: [value / case.batch for value in values] for case, values in seconds.items()}
    return [Gain(case, base, ratio(per_image[base], per_image[case])) for case, base in found]
