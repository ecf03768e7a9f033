"""The entry point: parses the command line, runs one command, and turns whatever goes wrong into text and an exit status."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

import intvit
from intvit.cli import bench, compare, coverage, doctor, evaluate, inspect, quantize, run, verify
from intvit.cli.compiling import compiling_noted
from intvit.cli.console import Console
from intvit.errors import IntvitError, ResourceLimitError, UsageError

COMMANDS = (quantize, run, evaluate, compare, verify, bench, inspect, coverage, doctor)
INTERNAL_ERROR = 6
INTERRUPTED = 130
BROKEN_PIPE = 141


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of leaving the process."""
        raise UsageError(message, hint=f"see '{self.prog} --help'")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: the command line without the program's name; that of the process by default.

    Returns:
        0 ok, 1 a check did not hold, 2 usage, 3 bad input file, 4 model not supported, 5 resource limit, 6 a bug in intvit,
        130 interrupted.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    console = Console(json="--json" in arguments)
    try:
        return _run(arguments, console)
    except IntvitError as error:
        return _report(console, error)
    except MemoryError:
        return _report(
            console, ResourceLimitError("there is not enough memory", hint="close other programs, or use fewer images")
        )
    except KeyboardInterrupt:
        console.note("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        return _report_bug(console, error)


def _run(arguments: Sequence[str], console: Console) -> int:
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_rest, **_named: console.warn(str(message))
        options = make_parser().parse_args(arguments)
        with compiling_noted(console):
            status: int = options.run(options, console)
    console.flush()
    return status


def make_parser() -> Parser:
    """Return the parser of the whole command line."""
    parser = Parser(prog="intvit", description=intvit.__doc__.splitlines()[0] if intvit.__doc__ else None, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"intvit {intvit.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        command = commands.add_parser(module.NAME, help=module.HELP, description=module.HELP, allow_abbrev=False)
        module.add_arguments(command)
        command.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        command.set_defaults(run=module.run)
    return parser


def _report(console: Console, error: IntvitError) -> int:
    console.fail(str(error), error.to_json())
    return error.exit_status


def _report_bug(console: Console, error: Exception) -> int:
    """Ask for a report of what should not have happened; the traceback is for those who want it."""
    if os.environ.get("INTVIT_DEBUG") == "1":
        traceback.print_exc()
    found = f"{type(error).__name__}: {error}"
    message = "something went wrong inside intvit; please report it with the output of the same command under INTVIT_DEBUG=1"
    console.fail(f"{message}\n  found: {found}", {"error": "internal", "message": message, "found": found})
    return INTERNAL_ERROR
