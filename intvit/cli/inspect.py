"""`intvit inspect`: what is in an integer model."""

from __future__ import annotations

import argparse
from typing import Any

from intvit.cli.console import Console, size, table

NAME = "inspect"
HELP = "show what is in an integer model"
SHOWN_LABELS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL.onnx", help="the integer model")
    parser.add_argument("--nodes", action="store_true", help="list every node")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    from intvit.report.summary import summarize
    from intvit.verify.subject import Subject

    subject = Subject.load(options.model)
    summary = summarize(subject.model, len(subject.data), nodes=options.nodes)
    console.result({"model": options.model} | summary, _text(summary))
    return 0


def _text(summary: dict[str, Any]) -> str:
    from intvit.report.choices import HEADER, bits_lines, choice_row, residual_lines

    labels = summary["labels"]
    shown = ", ".join(labels[:SHOWN_LABELS]) + (", ..." if len(labels) > SHOWN_LABELS else "")
    rows = [
        *(("input", _tensor(tensor)) for tensor in summary["inputs"]),
        *(("output", f"{_tensor(t)}, one step is {_real(summary, t['name'])}") for t in summary["outputs"]),
        ("labels", f"{len(labels)}: {shown}" if labels else "none"),
        ("preprocess", _preprocess(summary["preprocess"])),
        ("source", f"SHA-256 {summary['source_sha256']}"),
        ("made by", f"intvit {summary['tool_version']}, recipe {summary['recipe']}"),
        ("operators", ", ".join(f"{count} {kind}" for kind, count in summary["operators"].items())),
        ("constants", _constants(summary["constants"], summary["four_bit_constants"])),
        ("file", size(summary["file_bytes"])),
        ("work", f"{summary['macs'] / 1e6:,.1f} million multiply-accumulates an image"),
        ("memory", f"{size(summary['arena_bytes'])} a thread, {size(summary['packed_bytes'])} packed constants"),
        ("known answer", "stored" if summary["known_answer"] else "none"),
        *(("tightest", claim) for claim in summary["certificate"]),
    ]
    choices = [choice_row(choice) for choice in summary["choices"]]
    chosen = [*bits_lines(summary["bits"]), *residual_lines(summary["residuals"])]
    return "\n".join([table(rows), *([table(choices, HEADER)] if choices else []), *chosen, *summary.get("nodes", [])])


def _tensor(tensor: dict[str, Any]) -> str:
    return f"{tensor['name']} {tensor['type']} [{', '.join(map(str, tensor['shape']))}]"


def _constants(count: int, four_bits: int) -> str:
    return f"{count:,} integers" + (f", {four_bits:,} of them weights of at most 4 bits" if four_bits else "")


def _real(summary: dict[str, Any], output: str) -> str:
    from fractions import Fraction

    scale = summary["output_scales"].get(output)
    return "unknown" if scale is None else f"{float(Fraction(scale)):.6g}"


def _preprocess(values: dict[str, Any]) -> str:
    if not values:
        return "none"
    return ", ".join(
        f"{key} {value}" for key, value in values.items() if key not in ("format", "version") and value is not None
    )
