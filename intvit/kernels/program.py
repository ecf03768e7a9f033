"""A whole inference as one native call: a table of kernels, run alone or by several threads together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.kernels.atomic import atomic_add, call_entry, wait_for
from intvit.kernels.jit import Step, kernel

Array = NDArray[Any]

PARTS_PER_THREAD = 4
"""Into how many parts a step is cut for each thread, so that a slow thread holds up the others less."""
COUNTERS = 8
"""int64 a step that hold its two counters, alone in their cache line."""


@kernel()
def run_alone(steps: Array) -> None:
    """Run all steps in order; `steps` s64 [S, 3]: entry, address of the words, parts."""
    for s in range(len(steps)):
        call_entry(steps[s, 0], steps[s, 1], 0, 0, 1)


@kernel()
def run_together(steps: Array, counters: Array, joined: Array) -> None:
    """Run all steps with whoever else runs them, from counters that start at zero.

    Threads take parts of a step until none is left and wait until all are done; a thread may come at any time, or never.

    Args:
        steps: s64 [S, 3]: entry, address of the words, parts.
        counters: s64 [S, 8]: parts taken, parts done.
        joined: s64 [1]: threads that have come so far; each takes the next slot.
    """
    slot = atomic_add(joined.ctypes.data, 1)
    for s in range(len(steps)):
        taken = counters.ctypes.data + s * counters.strides[0]
        done, parts = taken + 8, steps[s, 2]
        part = atomic_add(taken, 1)
        while part < parts:
            call_entry(steps[s, 0], steps[s, 1], slot, part, parts)
            atomic_add(done, 1)
            part = atomic_add(taken, 1)
        wait_for(done, parts)


class Program:
    """Steps bound to memory, ready to run.

    Args:
        steps: the kernels in order.
        threads: how many threads run it together at most; their scratch has as many slots.
    """

    def __init__(self, steps: Sequence[Step], threads: int) -> None:
        self.steps = tuple(steps)
        limit = PARTS_PER_THREAD * threads
        rows = [(s.entry, s.words.ctypes.data, min(s.grains, limit)) for s in steps]
        table = np.array(rows, np.int64).reshape(-1, 3)
        self._counters = np.zeros((len(rows) + 1, COUNTERS), np.int64)
        self._alone = run_alone.bind(table)
        self._together = run_together.bind(table, self._counters[1:], self._counters[0, :1])

    def run_alone(self) -> None:
        """Run all steps in this thread, without the GIL."""
        self._alone()

    def reset(self) -> None:
        """Make the program ready for one `run_together` of several threads; none may be in it."""
        self._counters[:] = 0

    def run_together(self) -> None:
        """Run all steps, sharing them with every thread that calls this at the same time; return when all are done."""
        self._together()
