"""`intvit doctor`: what this machine and this installation offer."""

from __future__ import annotations

import argparse
import os
import time
from typing import Any

from intvit.cli.console import Console, size, table

NAME = "doctor"
HELP = "show versions, CPU features, cache and limits"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--warm", action="store_true", help="compile all kernels now, so that no later start has to")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    from intvit.report.environment import describe_environment

    warmed = _warm() if options.warm else {}
    values = describe_environment() | warmed
    console.result(values, _text(values))
    return 0


def _warm() -> dict[str, Any]:
    from intvit.verify.warm import warm_kernels

    start = time.perf_counter()
    compiled = warm_kernels(processes=os.cpu_count() or 1)
    return {"compiled": len(compiled), "compile_seconds": round(time.perf_counter() - start, 2)}


def _text(values: dict[str, Any]) -> str:
    simd, limits = values["simd"], values["limits"]
    image = limits["image"]
    rows = [
        *((name, version or "not installed") for name, version in values["versions"].items()),
        ("platform", values["platform"]),
        ("CPU", f"{values['cpu']}, {values['cores']} cores, {values['byte_order']} endian"),
        ("SIMD level", f"{simd['level'] or 'none'} (of {', '.join(simd['supported'])})"),
        ("kernel cache", f"{values['cache_folder'] or 'none'}, {values['cached_kernels']} kernels"),
        *([("compiled now", f"{values['compiled']} kernels in {values['compile_seconds']} s")] if "compiled" in values else []),
        ("model limit", size(limits["model_bytes"])),
        ("image limit", f"{size(image['file_bytes'])}, {image['pixels']} pixels, {image['side']} a side"),
        *((f"extra {name}", "installed" if there else "not installed") for name, there in values["extras"].items()),
        *(("problem", problem) for problem in values["problems"]),
    ]
    return table(rows)
