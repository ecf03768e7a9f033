"""`intvit verify`: prove that a model is integer-only and can't overflow, and that all executors give the same bits."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from intvit.cli.console import Console, table
from intvit.cli.inputs import folder_pixels, positive
from intvit.errors import CheckFailed

if TYPE_CHECKING:
    from intvit.verify import Agreement, Executor, FloatFree, KnownAnswerCheck, OverflowCheck, Subject

NAME = "verify"
HELP = "check that a model is integer-only, can't overflow, and gives the same bits everywhere"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL.onnx", help="the integer model")
    parser.add_argument("--images", metavar="DIR", help="run on these images instead of the synthetic one")
    parser.add_argument("--limit", metavar="N", type=positive, default=8, help="how many of them to use (8)")
    parser.add_argument(
        "--with", metavar="LIST", dest="executors", help="reference,numba,onnxruntime,onnx (all that are installed)"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    from intvit.files import read_bytes
    from intvit.io.read import MAX_FILE_BYTES
    from intvit.verify import Subject, check_agreement, check_float_free, check_known_answer, check_overflow

    executors = _executors(options.executors, console)
    data = read_bytes(options.model, MAX_FILE_BYTES)
    try:
        float_free = check_float_free(data)
        subject = Subject.load_bytes(data, options.model)
    except CheckFailed as error:
        return _overflows(console, float_free, error)
    pixels = _pixels(options, subject)
    overflow = check_overflow(subject.model.graph)
    known_answer = check_known_answer(subject.model)
    agreement = check_agreement(subject, executors, pixels)
    ok = float_free.ok and overflow.ok and known_answer.ok and agreement.ok
    values = {
        "ok": ok,
        "float_free": float_free.ok,
        "overflow_free": overflow.ok,
        "known_answer": known_answer.ok,
        "agreement": agreement.ok,
        "executors": dict(agreement.digests),
        "images": agreement.images,
        "tightest": [str(claim) for claim in overflow.tightest],
        "problems": _problems(float_free, overflow, known_answer, agreement),
    }
    console.result(values, _text(float_free, overflow, known_answer, agreement, values))
    return 0 if ok else CheckFailed.exit_status


def _executors(names: str | None, console: Console) -> list[Executor]:
    from intvit.verify import EXECUTORS, find_executors

    if names is not None:
        return find_executors([name.strip() for name in names.split(",")])
    for executor in EXECUTORS.values():
        if executor.missing:
            console.warn(f"{executor.name} is not installed and is left out; pip install 'intvit[{executor.extra}]'")
    return [executor for executor in EXECUTORS.values() if not executor.missing]


def _pixels(options: argparse.Namespace, subject: Subject) -> Any:
    import numpy as np

    from intvit.runtime.session import Session

    session = Session(subject.model, executor="reference")
    return np.stack(folder_pixels(options.images, options.limit, session.preprocess)) if options.images else None


def _overflows(console: Console, float_free: FloatFree, error: CheckFailed) -> int:
    """Report a model that is refused when it is loaded, because its certificate does not hold."""
    values = {
        "ok": False,
        "float_free": float_free.ok,
        "overflow_free": False,
        "known_answer": False,
        "agreement": False,
        "executors": {},
        "images": 0,
        "tightest": [],
        "problems": [str(error)],
    }
    console.result(values, f"no overflow  FAILED\n{error}")
    return error.exit_status


def _problems(
    float_free: FloatFree, overflow: OverflowCheck, known_answer: KnownAnswerCheck, agreement: Agreement
) -> list[str]:
    problems = [f"float: {finding}" for finding in float_free.findings]
    problems += [f"overflow: {claim}" for claim in overflow.failures]
    problems += [f"known answer: {known_answer.problem}"] if known_answer.problem else []
    problems += [
        f"known answer: {executor} first differs at node {node}"
        for executor, node in known_answer.first_difference.items()
        if node is not None
    ]
    return problems + [f"bits: {difference}" for difference in agreement.differences]


def _text(
    float_free: FloatFree,
    overflow: OverflowCheck,
    known_answer: KnownAnswerCheck,
    agreement: Agreement,
    values: dict[str, Any],
) -> str:
    known = f"{known_answer.nodes} nodes give the stored digests in {' and '.join(known_answer.first_difference)}"
    images = f"{agreement.images} image{'s' * (agreement.images > 1)}"
    checks = [
        ("no float", float_free.ok, f"{float_free.tensors} tensors and {float_free.operators} operators looked at"),
        ("no overflow", overflow.ok, f"{overflow.claims} bounds computed from the constants, for any input"),
        ("known answer", known_answer.ok, known if known_answer.ok else ""),
        ("same bits", agreement.ok, f"{', '.join(agreement.digests)} on {images}"),
    ]
    lines = [table([(name, "ok" if ok else "FAILED", text) for name, ok, text in checks])]
    lines += ["digests:", *(f"  {line}" for line in table(list(agreement.digests.items())).splitlines())]
    lines += ["tightest:", *(f"  {text}" for text in values["tightest"])]
    lines += ["problems:", *(f"  {text}" for text in values["problems"])] if values["problems"] else []
    return "\n".join([*lines, "verified" if values["ok"] else "NOT verified"])
