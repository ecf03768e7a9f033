"""The machine's integer limit: the rate of the bare micro-kernel on data in the first cache."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

BURSTS = 4


class Limit:
    """A call that keeps one core busy with multiply-accumulates of the current SIMD level, and nothing else.

    Attributes:
        macs: how many each call does.

    Raises:
        UsageError: `INTVIT_SIMD` names no level that this machine can run.
    """

    def __init__(self) -> None:
        from intvit.kernels.probe import make_probe
        from intvit.kernels.simd import current_level

        self._probe = make_probe(current_level())
        self._wall = self._own = 0.0
        self.macs: int = BURSTS * self._probe.macs

    def __call__(self) -> None:
        """Run some bursts."""
        wall, own = time.perf_counter(), time.process_time()
        for _ in range(BURSTS):
            self._probe()
        self._wall += time.perf_counter() - wall
        self._own += time.process_time() - own

    @property
    def core_share(self) -> float:
        """Which part of the calls' time this process had the core: the rest went to other processes."""
        return min(1.0, self._own / self._wall) if self._wall else 1.0


def share_of_limit(macs: int, seconds: Sequence[float], limit: Sequence[float], threads: int) -> float:
    """Return which part of the limit a run reaches: the median over the rounds, as the machine's speed may change.

    Args:
        macs: the multiply-accumulates of the run.
        seconds: what it took, one value a round.
        limit: multiply-accumulates a second of one core in the same rounds.
        threads: how many cores it could use.
    """
    return statistics.median(macs / s / (rate * threads) for s, rate in zip(seconds, limit, strict=True))
