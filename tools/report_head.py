"""The head of every generated report: command, date, versions and CPU."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("intvit", "numpy", "numba", "llvmlite", "onnx", "onnxruntime", "onnx-ir", "onnxscript")


def report_head(command: str) -> str:
    """Return the lines that say how a report was made."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"Made by `{command}` on {today}; do not edit by hand.\n\n"
        f"- CPU: {_cpu()}, {os.cpu_count()} cores\n"
        f"- Python {platform.python_version()}, {versions}\n"
    )


def _cpu() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        text = path.read_text()
        names = [line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")]
        flags = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimddp") if f" {flag}" in text]
        if names:
            return f"{names[0]} ({', '.join(flags)})"
    return platform.processor() or platform.machine()
