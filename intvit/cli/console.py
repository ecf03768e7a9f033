"""Where text goes: results to standard output, everything else to standard error, one JSON object if asked for."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


class Console:
    """The two streams of a command.

    Args:
        json: whether the result is one JSON object instead of text.
    """

    def __init__(self, *, json: bool) -> None:
        self.json = json
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")

    def note(self, text: str) -> None:
        """Tell people something on standard error."""
        print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Warn on standard error."""
        self.note(f"warning: {text}")

    def result(self, values: Mapping[str, Any], text: str) -> None:
        """Print the command's result: its values as JSON, or its text."""
        print(_dump(values) if self.json else text)

    def fail(self, text: str, values: Mapping[str, Any]) -> None:
        """Tell on standard error what went wrong, and with `--json` on standard output too."""
        self.note(f"error: {text}")
        if self.json:
            print(_dump(values))

    def flush(self) -> None:
        """Write out what is buffered, so that a closed pipe shows here."""
        sys.stdout.flush()


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Return rows as aligned columns.

    Args:
        rows: the cells.
        header: a first row, if any.
        right: the columns that are aligned to the right.
    """
    lines = [list(header), *map(list, rows)] if header else list(map(list, rows))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))] if lines else []

    def cell(i: int, text: str) -> str:
        return text.rjust(widths[i]) if i in right else text.ljust(widths[i])

    return "\n".join("  ".join(cell(i, text) for i, text in enumerate(line)).rstrip() for line in lines)


def size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"


def decibels(value: float | None) -> str:
    """Return a ratio for people."""
    return "-" if value is None else f"{value:.1f} dB"


def percent(value: float | None) -> str:
    """Return a share for people."""
    return "-" if value is None else f"{100 * value:.2f} %"


def _dump(values: Mapping[str, Any]) -> str:
    return json.dumps(values, allow_nan=False)
