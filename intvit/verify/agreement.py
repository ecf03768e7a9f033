"""All executors give the same bits: run each on the same pixels and compare every output byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.errors import CheckFailed
from intvit.io import IntegerModel
from intvit.io.digest import digest_all
from intvit.io.model import test_pattern
from intvit.verify.executors import Executor
from intvit.verify.subject import Subject

Array = NDArray[Any]
SHOWN_POSITIONS = 10


@dataclass(frozen=True)
class Difference:
    """How an executor's output differs from the first executor's.

    Attributes:
        executor: who differs.
        output: which output.
        summary: what is wrong, for people, if it is not the values alone.
        count: how many elements differ.
        largest: the largest difference, in steps.
        positions: the first positions that differ.
    """

    executor: str
    output: str
    summary: str = ""
    count: int = 0
    largest: int = 0
    positions: tuple[tuple[int, ...], ...] = ()

    def __str__(self) -> str:
        if self.summary:
            return f"{self.executor}, {self.output}: {self.summary}"
        shown = ", ".join(str(list(p)) for p in self.positions)
        return f"{self.executor}, {self.output}: {self.count} values differ by up to {self.largest}, first at {shown}"


@dataclass(frozen=True)
class Agreement:
    """What the executors gave.

    Attributes:
        images: how many images they ran on.
        digests: executor name to the digest of all its outputs.
        differences: where they differ from the first executor.
    """

    images: int
    digests: Mapping[str, str]
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """Whether all digests are equal."""
        return not self.differences and len(set(self.digests.values())) <= 1


def check_agreement(subject: Subject, executors: Sequence[Executor], pixels: Array | None = None) -> Agreement:
    """Run executors on the same pixels and compare.

    Args:
        subject: the model and its bytes.
        executors: the first one that runs the model is what the others are compared with.
        pixels: uint8 [N, H, W, 3]; the synthetic self-test image by default.
    """
    pixels = default_pixels(subject.model) if pixels is None else pixels
    results: dict[str, dict[str, Array]] = {}
    differences: list[Difference] = []
    for executor in executors:
        try:
            outputs = executor.run(subject, pixels)
        except CheckFailed as error:
            differences.append(Difference(executor.name, "all outputs", str(error)))
            continue
        results[executor.name] = outputs
        first = next(iter(results.values()))
        compared = (compare(executor.name, name, first[name], outputs[name]) for name in first)
        differences += [difference for difference in compared if difference]
    return Agreement(len(pixels), {name: digest_all(outputs) for name, outputs in results.items()}, tuple(differences))


def default_pixels(model: IntegerModel) -> Array:
    """Return the synthetic self-test image, as a batch of one."""
    return test_pattern(next(iter(model.graph.inputs.values())).shape)


def compare(executor: str, output: str, expected: Array, found: Array) -> Difference | None:
    """Return how two arrays differ, None if they are equal in type, shape and every value."""
    if expected.dtype != found.dtype or expected.shape != found.shape:
        forms = [f"{a.dtype} {list(a.shape)}" for a in (expected, found)]
        return Difference(executor, output, f"{forms[1]} instead of {forms[0]}")
    where = np.argwhere(expected != found)
    if not len(where):
        return None
    largest = int(np.abs(expected.astype(np.int64) - found.astype(np.int64)).max())
    positions = tuple(tuple(int(i) for i in position) for position in where[:SHOWN_POSITIONS])
    return Difference(executor, output, "", len(where), largest, positions)
