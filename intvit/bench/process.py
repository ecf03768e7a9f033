"""Fresh Python processes: memory and start-up can only be measured in one that has done nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from intvit.errors import CheckFailed

TIMEOUT_SECONDS = 600


def python_json(arguments: Sequence[str]) -> Any:
    """Run `python ARGUMENTS` and return the JSON value on the last line that it prints.

    Raises:
        CheckFailed: it failed or took too long.
    """
    line = [sys.executable, *arguments]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise _failed(arguments, f"no answer in {TIMEOUT_SECONDS} s") from error
    if done.returncode or not done.stdout.strip():
        lines = [line for line in done.stderr.splitlines() if line and not line[0].isspace()]
        raise _failed(arguments, lines[-1] if lines else f"exit status {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def seconds_to_first_line(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return the seconds from starting `python ARGUMENTS` to its first line of output.

    Args:
        arguments: what comes after `python`.
        environment: variables to set besides those of this process.

    Raises:
        CheckFailed: it failed.
    """
    line = [sys.executable, *arguments]
    started = time.perf_counter()
    with subprocess.Popen(
        line, env=os.environ | dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        text = process.stdout.readline()
        seconds = time.perf_counter() - started
        process.stdout.read()
    if process.returncode or not text:
        raise _failed(arguments, f"exit status {process.returncode}")
    return seconds


def _failed(arguments: Sequence[str], found: str) -> CheckFailed:
    return CheckFailed("a process that was to be measured failed", where=f"python {' '.join(arguments)}", found=found)
