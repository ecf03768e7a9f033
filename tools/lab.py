"""What long reports share: running the `intvit` command, and keeping results until something that they depend on changes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "intvit"
RESULTS = REPOSITORY / "docs" / "results"
CONVERTERS = ("numerics", "ir", "ops", "io", "data", "importer", "quantize")
"""The folders of the package that a converted model depends on."""


def intvit(*arguments: object, level: str = "") -> dict[str, Any]:
    """Run `intvit ARGUMENTS --json`, showing its progress; return what it prints, or exit with its error."""
    line = [sys.executable, "-m", "intvit", *map(str, arguments), "--json"]
    print("intvit", *arguments, f"(INTVIT_SIMD={level})" if level else "", file=sys.stderr, flush=True)
    environment = os.environ | ({"INTVIT_SIMD": level} if level else {})
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=False, env=environment)
    if done.returncode or not done.stdout.strip():
        raise SystemExit(f"{' '.join(line)} failed: {done.stdout}")
    return dict(json.loads(done.stdout))


def sources(*folders: str) -> list[Path]:
    """Return the package's source files in some of its folders."""
    return sorted(path for folder in folders for path in (PACKAGE / folder).rglob("*.py"))


def digest(files: Sequence[Path], text: str) -> str:
    """Return a name for what files and a text hold."""
    whole = hashlib.sha256(text.encode())
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()[:12]


def kept(path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the values that a JSON file keeps from before, or make and keep them now; a file is there whole or not at all."""
    if not path.exists():
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(make()))
        partial.replace(path)
    return dict(json.loads(path.read_text()))
