"""Peak memory of one engine, from loading its model to the end of its first run, in a process of its own.

`python -m intvit.bench.memory ENGINE MODEL THREADS BATCH HEIGHT WIDTH` prints the bytes as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np

from intvit.bench.engines import find_engine
from intvit.bench.engines.engine import BenchEngine
from intvit.bench.inputs import random_pixels
from intvit.bench.process import python_json

_STATUS = Path("/proc/self/status")


def peak_bytes(engine: BenchEngine, model: Path, threads: int, batch: int, image_size: tuple[int, int]) -> int | None:
    """Return the peak of resident memory above that of the bare interpreter with the engine's imports.

    Returns:
        Bytes, or None where the system doesn't tell.

    Raises:
        CheckFailed: the engine failed.
    """
    arguments = ["-m", "intvit.bench.memory", engine.name, str(model), *map(str, (threads, batch, *image_size))]
    peak: int | None = python_json(arguments)
    return peak


def main(arguments: list[str]) -> None:
    """Measure one engine and print the result."""
    name, model, *numbers = arguments
    threads, batch, height, width = map(int, numbers)
    engine = find_engine(name)
    pixels = random_pixels(batch, (height, width))
    images = pixels if engine.takes_pixels else np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)
    engine.load()
    before = _resident("VmRSS")
    engine.open(Path(model), threads, batch)(images)
    after = _resident("VmHWM")
    print(json.dumps(None if before is None or after is None else after - before))


def _resident(field: str) -> int | None:
    """Return a number of bytes that Linux keeps about this process's resident memory."""
    if not _STATUS.exists():
        return None
    found = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(), re.MULTILINE)
    return None if found is None else 1024 * int(found[1])


if __name__ == "__main__":
    main(sys.argv[1:])
