"""`intvit coverage`: can this float model be converted, and if not, why not?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from intvit.cli.console import Console, table
from intvit.cli.inputs import image_size, import_float
from intvit.errors import UnsupportedModelError

if TYPE_CHECKING:
    from intvit.importer import CanonicalModel

NAME = "coverage"
HELP = "tell whether a float model can be converted, and why not"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("float_model", metavar="FLOAT.onnx", help="the float model")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    canonical = import_float(options.float_model)
    values = _coverage(canonical)
    console.result(values, _text(values))
    return 0 if values["supported"] else UnsupportedModelError.exit_status


def _coverage(canonical: CanonicalModel) -> dict[str, Any]:
    from dataclasses import asdict

    from intvit.importer import coverage

    nodes = coverage(canonical)
    keys = ("node", "op_type", "reason", "hint")
    missing = [{key: asdict(node)[key] for key in keys} for node in nodes if not node.supported]
    height, width = image_size(canonical)
    return {
        "supported": not missing and canonical.dynamic_batch,
        "nodes": len(nodes),
        "unsupported": missing,
        "independent_images": canonical.dynamic_batch,
        "rules": dict(canonical.rules),
        "input": {"height": height, "width": width},
    }


def _text(values: dict[str, Any]) -> str:
    lines = [table(sorted((name, str(count)) for name, count in values["rules"].items()), ("spelling", "times"), right=(1,))]
    if values["unsupported"]:
        rows = [(n["node"], n["op_type"], n["reason"], n["hint"]) for n in values["unsupported"]]
        lines.append(table(rows, ("unsupported node", "operator", "reason", "what to try")))
    if not values["independent_images"]:
        lines.append("the graph does not treat the images of a batch independently: export it with a dynamic batch axis")
    count, missing = values["nodes"], len(values["unsupported"])
    lines.append(f"{count - missing} of {count} nodes are supported")
    return "\n\n".join(lines)
