"""What more threads and larger batches bring to one engine; its cases are timed in turns, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from intvit.bench.case import Case, opened
from intvit.bench.engines.engine import BenchEngine
from intvit.bench.inputs import Inputs
from intvit.bench.interleave import Effort, Progress, interleave
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


def time_scaling(
    engine: BenchEngine, model: Path, cases: Sequence[Case], inputs: Inputs, effort: Effort, progress: Progress | None = None
) -> list[Gain]:
    """Time one engine's cases in turns and compare them; raises what the engine raises."""
    calls = {case: opened(engine, model, case, inputs) for case in cases}
    return gains(interleave(calls, effort, progress))


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
