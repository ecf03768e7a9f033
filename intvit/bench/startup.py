"""How long the first steps take: importing the package, the first logits of a process, and compiling all kernels."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intvit.bench.process import python_json, seconds_to_first_line
from intvit.bench.statistics import spread

REPEATS = 5
_IMPORT = "import time; started = time.perf_counter(); import intvit; print(time.perf_counter() - started)"


@dataclass(frozen=True)
class Startup:
    """Seconds, each in fresh processes.

    Attributes:
        import_intvit: `import intvit`, without the interpreter's own start; the median of some.
        first_logits: from starting the process to the first logits, with compiled kernels on disk; the median of some.
        compile_kernels: `intvit doctor --warm`, which compiles every kernel, with an empty cache.
    """

    import_intvit: float
    first_logits: float
    compile_kernels: float


def measure_startup(model: Path, progress: Callable[[int, int], None] | None = None) -> Startup:
    """Measure the first steps with a model.

    Args:
        model: an integer model's file.
        progress: called with (steps done, in all).

    Raises:
        CheckFailed: a process failed.
    """
    run = ["-m", "intvit.bench.first_logits", str(model)]
    report = progress or (lambda done, total: None)
    with tempfile.TemporaryDirectory() as cache:
        kept = {"INTVIT_CACHE_DIR": cache}
        report(0, 3)
        compiling = seconds_to_first_line(["-m", "intvit", "doctor", "--warm"], kept)
        report(1, 3)
        warm = [seconds_to_first_line(run, kept) for _ in range(1 + REPEATS)][1:]
    report(2, 3)
    imports = [float(python_json(["-c", _IMPORT])) for _ in range(REPEATS)]
    report(3, 3)
    return Startup(spread(imports).median, spread(warm).median, compiling)
