"""Models that a peer builds from the float model: each is built once and kept."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from intvit.bench.engines.engine import BenchEngine, Source


def built_once(engine: BenchEngine, source: Source, folder: Path, build: Callable[[Path], None]) -> Path:
    """Return the folder that `build` filled, now or in an earlier run with the same engine, model and calibration images.

    Args:
        engine: who builds.
        source: what it is built from.
        folder: where to keep it.
        build: fills an empty folder.
    """
    place = folder / f"{engine.name}-{_digest(engine, source)}"
    if not place.is_dir():
        unfinished = Path(tempfile.mkdtemp(dir=folder))
        try:
            build(unfinished)
            unfinished.rename(place)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return place


def _digest(engine: BenchEngine, source: Source) -> str:
    digest = hashlib.sha256(engine.version().encode())
    digest.update(source.float_sha256.encode())
    digest.update(source.calibration.tobytes())
    return digest.hexdigest()[:16]
