"""What this machine and this installation offer."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import intvit
from intvit.data.images import DEFAULT_LIMITS
from intvit.errors import IntvitError
from intvit.extras import EXTRAS, missing_modules
from intvit.io.read import MAX_FILE_BYTES

_PACKAGES = ("numpy", "numba", "llvmlite", "onnx", "pillow", "rich",
             "onnxruntime", "onnxscript", "onnx-ir", "openvino", "nncf", "matplotlib")  # fmt: skip


def describe_environment() -> dict[str, Any]:
    """Return versions, CPU, SIMD level, cache folder, limits and extras as JSON-ready values, and the problems found."""
    from llvmlite import binding

    from intvit.kernels.cache import cache_folder
    from intvit.kernels.shared import PREFIX
    from intvit.kernels.simd import VARIABLE, current_level, host_features, supported_levels

    problems = []
    try:
        level: str | None = str(current_level())
    except IntvitError as error:
        level = None
        problems.append(str(error))
    folder = cache_folder()
    if folder is None:
        problems.append("compiled kernels can't be kept: every start compiles again; set INTVIT_CACHE_DIR to a folder of yours")
    return {
        "versions": {"intvit": intvit.__version__, "python": platform.python_version(), **_versions()},
        "platform": platform.platform(),
        "byte_order": sys.byteorder,
        "cpu": binding.get_host_cpu_name(),
        "cores": core_count(),
        "simd": {
            "level": level,
            "supported": [str(s) for s in supported_levels()],
            "forced": os.environ.get(VARIABLE) or None,
            "features": sorted(host_features()),
        },
        "cache_folder": str(folder) if folder else None,
        "cached_kernels": len([file for file in folder.rglob("*.o") if not file.name.startswith(PREFIX)]) if folder else 0,
        "limits": {"model_bytes": MAX_FILE_BYTES, "image": asdict(DEFAULT_LIMITS)},
        "extras": {extra: not missing_modules(extra) for extra in EXTRAS},
        "problems": problems,
    }


def _versions() -> dict[str, str | None]:
    return {name: _version(name) for name in _PACKAGES}


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
