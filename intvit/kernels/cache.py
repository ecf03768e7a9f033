"""The folder that keeps compiled kernels between runs: one for each combination of versions, CPU and kernel sources."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import warnings
from pathlib import Path

import llvmlite
import numba
from llvmlite import binding

import intvit
from intvit.kernels.simd import NUMBA, host_features

PRIVATE = 0o700


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder for compiled kernels, made if need be, or None (after one warning) if there can't be one."""
    try:
        folder = _root() / _key()
        folder.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        _require_private(folder)
    except OSError as error:
        warnings.warn(f"compiled kernels are not kept, every start compiles again: {error}", RuntimeWarning, stacklevel=2)
        return None
    return folder


def _root() -> Path:
    if own := os.environ.get("INTVIT_CACHE_DIR"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intvit"


def _key() -> str:
    """Return a name for everything but argument types, which tell SIMD levels apart, that decides the machine code."""
    digest = hashlib.sha256()
    versions = (intvit.__version__, numba.__version__, llvmlite.__version__)
    cpu = NUMBA.CPU_NAME or binding.get_host_cpu_name()
    flags = (str(NUMBA.OPT), *sorted(host_features()))
    for part in (*versions, cpu, *flags):
        digest.update(part.encode() + b"\0")
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return f"{intvit.__version__}-numba{numba.__version__}-{cpu}-{digest.hexdigest()[:16]}"


def _require_private(folder: Path) -> None:
    """Raise OSError unless only this user can write to `folder`: what is in it gets executed."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} can't be written")
    if hasattr(os, "getuid"):
        status = folder.stat()
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"{folder} can be written by other users")
