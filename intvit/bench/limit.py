"""The machine's integer limit: the rate of the bare micro-kernel on data in the first cache."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

BURSTS = 4
BURSTS_TOGETHER = 40
"""So many that waking the threads hardly counts."""


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


def limit_of_threads(threads: int) -> Callable[[], None]:
    """Return a call in which each of some threads does the same multiply-accumulates on data of its own, and nothing else.

    Two cores of a machine need not be twice as fast as one: virtual ones may lie on one real core.
    """
    from intvit.kernels.probe import make_probe
    from intvit.kernels.simd import current_level

    probes = [make_probe(current_level()) for _ in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def run(probe: Callable[[], None]) -> None:
        for _ in range(BURSTS_TOGETHER):
            probe()

    def together() -> None:
        wait([pool.submit(run, probe) for probe in probes])

    return together


def share_of_limit(macs: int, seconds: Sequence[float], limit: Sequence[float], threads: int) -> float:
    """Return which part of the limit a run reaches: the median over the rounds, as the machine's speed may change.

    Args:
        macs: the multiply-accumulates of the run.
        seconds: what it took, one value a round.
        limit: multiply-accumulates a second of one core in the same rounds.
        threads: how many cores it could use.
    """
    return statistics.median(macs / s / (rate * threads) for s, rate in zip(seconds, limit, strict=True))
