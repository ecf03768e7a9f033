"""A whole inference as one native call: a table of kernels, run alone or by several threads together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.atomic import atomic_add, atomic_store, call_entry, wait_for
from intvit.kernels.jit import Scalar, Step, device, kernel

Array = NDArray[Any]

PARTS_PER_THREAD = 4
"""Into how many parts a step is cut for each thread, so that a slow thread holds up the others less."""
CLOSED = 1 << 32
"""More than any number of threads."""
COUNTERS = 8
"""int64 a stage that hold its two counters, alone in their cache line."""


@kernel()
def run_alone(stages: Array, calls: Array) -> None:
    """Run all stages in order.

    Args:
        stages: s64 [S, 3]: the first call, the call behind the last, parts.
        calls: s64 [C, 2]: entry, address of the words.
    """
    for s in range(len(stages)):
        for part in range(stages[s, 2]):
            run_part(stages[s], calls, 0, part)


@kernel()
def open_stages(counters: Array, crew: Array) -> None:
    """Let helpers come to stages that nobody is in.

    Args:
        counters: s64 [S, 8]: parts taken, parts done.
        crew: s64 [2]: how many threads have come, the leader among them, and `CLOSED` more once no other may; how many helpers
            have left.
    """
    counters[:] = 0
    crew[1] = 0
    atomic_store(crew.ctypes.data, 1)


@kernel()
def lead(stages: Array, calls: Array, counters: Array, crew: Array) -> None:
    """Run all stages with whoever comes to help, and return when nobody is in them any more.

    Args:
        stages, calls: as in `run_alone`.
        counters, crew: as `open_stages` left them, but for what helpers have done since.
    """
    came = crew.ctypes.data
    share_stages(stages, calls, counters, 0)
    helpers = atomic_add(came, CLOSED) - 1
    wait_for(came + 8, helpers)


@kernel()
def help_out(stages: Array, calls: Array, counters: Array, crew: Array) -> None:
    """Share the stages while they are open, else return at once; may be called at any time. Arguments as in `lead`."""
    came = crew.ctypes.data
    slot = atomic_add(came, 1)
    if slot < CLOSED:
        share_stages(stages, calls, counters, slot)
        atomic_add(came + 8, 1)


@device
def share_stages(stages: Array, calls: Array, counters: Array, slot: Scalar) -> None:
    """Take parts of each stage until none is left, and wait until all are done."""
    for s in range(len(stages)):
        taken = counters.ctypes.data + s * counters.strides[0]
        done, parts = taken + 8, stages[s, 2]
        part = atomic_add(taken, 1)
        while part < parts:
            run_part(stages[s], calls, slot, part)
            atomic_add(done, 1)
            part = atomic_add(taken, 1)
        wait_for(done, parts)


@device
def run_part(stage: Array, calls: Array, slot: Scalar, part: Scalar) -> None:
    """Run one part of each call of a stage."""
    for c in range(stage[0], stage[1]):
        call_entry(calls[c, 0], calls[c, 1], slot, part, stage[2])


class Stage(NamedTuple):
    """Steps that run side by side, part by part; mostly one.

    Attributes:
        steps: kernels whose parts may run in any order.
        parts: how many parts a thread makes that is alone.
    """

    steps: tuple[Step, ...]
    parts: int = 1


class Program:
    """Steps bound to memory, ready to run.

    Args:
        stages: what runs one after the other.
        threads: how many threads run it together at most; their scratch has as many slots.
    """

    def __init__(self, stages: Sequence[Stage], threads: int) -> None:
        self.stages = tuple(stages)
        calls = np.array([(s.entry, s.words.ctypes.data) for stage in stages for s in stage.steps], np.int64).reshape(-1, 2)
        ends = accumulate(len(stage.steps) for stage in stages)
        ranges = [(end - len(stage.steps), end) for stage, end in zip(stages, ends, strict=True)]
        limit = PARTS_PER_THREAD * threads
        together = [min(limit, max(step.grains for step in stage.steps)) for stage in stages]
        alone, shared = (
            np.array([(*steps, many) for steps, many in zip(ranges, parts, strict=True)], np.int64).reshape(-1, 3)
            for parts in ([stage.parts for stage in stages], together)
        )
        self._counters = np.zeros((len(stages) + 1, COUNTERS), np.int64)
        self._counters[0, 0] = CLOSED
        state = self._counters[1:], self._counters[0, :2]
        self._alone, self._open = run_alone.bind(alone, calls), open_stages.bind(*state)
        self._lead, self._help = lead.bind(shared, calls, *state), help_out.bind(shared, calls, *state)

    def run_alone(self) -> None:
        """Run all steps in this thread, without the GIL."""
        self._alone()

    def open(self) -> None:
        """Let helpers begin; `lead` must follow."""
        self._open()

    def lead(self) -> None:
        """Run all steps with every thread that helps out, in the thread that has opened the program."""
        self._lead()

    def help_out(self) -> None:
        """Share the steps with the others that run them; return when all are done, or at once if the program is not open."""
        self._help()
