"""`intvit bench`: speed and memory beside other engines, all measured in one run."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intvit.cli.console import Console, percent
from intvit.cli.inputs import folder_pixels, positive, refuse_integer_model
from intvit.cli.progress import StageProgress
from intvit.errors import UsageError

if TYPE_CHECKING:
    from intvit.bench.case import Case
    from intvit.bench.engines.engine import BenchEngine, Source
    from intvit.bench.float_model import FloatModelFacts
    from intvit.bench.inputs import Inputs
    from intvit.runtime.session import Session

NAME = "bench"
HELP = "measure speed and memory beside other engines"
CALIBRATION_IMAGES = 16
QUIET_SHARE = 0.97


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("model", metavar="MODEL.onnx", help="the integer model")
    parser.add_argument("--float", metavar="FLOAT.onnx", dest="float_model", help="the float model, which peers start from")
    parser.add_argument("--peers", metavar="NAME,...", type=_names, help="onnxruntime, openvino, one of theirs, or none (all)")
    parser.add_argument("--threads", metavar="N,...", type=_numbers, default=[1], help="numbers of threads (1)")
    parser.add_argument("--batch", metavar="N,...", type=_numbers, default=[1], help="images at a time (1)")
    parser.add_argument("--seconds", metavar="S", type=positive, default=20, help="time for the rounds of each case (20)")
    parser.add_argument("--rounds", metavar="N", type=positive, help="rounds of each case, whatever they take")
    parser.add_argument("--calib", metavar="DIR", help="a folder of images to calibrate quantized peers on (noise)")
    parser.add_argument("--work", metavar="DIR", help="a folder that keeps the peers' models for the next time")
    parser.add_argument("--chart", metavar="FILE", help="draw a bar chart, .svg or .png")
    parser.add_argument("--profile", action="store_true", help="show where the time of one image goes")
    parser.add_argument("--startup", action="store_true", help="measure import, first answer and compiling, too")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    peers = _check_options(options)
    _warn_of_cores(options, console)
    from intvit.bench.benchmark import prepare_engines, run_benchmark
    from intvit.bench.interleave import Effort
    from intvit.cli.bench_text import bench_text
    from intvit.runtime.session import Session

    described = Session(options.model, executor="reference")
    facts = _float_facts(options.float_model, described)
    inputs = _inputs(options, described, needs_images=bool(peers))
    values = _facts(options, described, facts)
    macs = values["macs"]["float"] or values["macs"]["integer"]
    with ExitStack() as stack:
        progress = stack.enter_context(StageProgress(console))
        folder = Path(options.work or stack.enter_context(tempfile.TemporaryDirectory(prefix="intvit-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        prepared = prepare_engines(peers, _source(options, facts, inputs), folder, progress)
        effort = Effort(options.seconds, options.rounds)
        values |= run_benchmark(prepared, _cases(options), inputs, macs, effort, progress)
        values |= _extras(options, described, inputs, progress)
    for row in values["skipped"]:
        console.warn(f"{row['engine']}: {row['reason']}")
    if (share := min(row["core_share"] for row in values["limits"])) < QUIET_SHARE:
        console.warn(f"other processes took {percent(1 - share)} of the core: repeat this on a quiet machine")
    if options.chart:
        _write_chart(options.chart, values)
    console.result(values, bench_text(values))
    return 0


def _check_options(options: argparse.Namespace) -> list[BenchEngine]:
    """Refuse what can be refused before the work starts; return the peers."""
    from intvit.bench.chart import chart_format
    from intvit.bench.engines import PEERS, choose_peers
    from intvit.extras import missing_extra, require_extra
    from intvit.files import check_writable

    peers = choose_peers(options.peers) if options.peers else list(PEERS)
    if options.float_model:
        require_extra("quantize")
    elif options.peers and peers:
        raise UsageError("peers start from the float model", where="--peers", hint="give it by --float FLOAT.onnx")
    if options.chart:
        chart_format(options.chart)
        from importlib.util import find_spec

        if find_spec("matplotlib") is None:
            raise missing_extra("bench", ["matplotlib"])
        check_writable(options.chart)
    return peers if options.float_model else []


def _warn_of_cores(options: argparse.Namespace, console: Console) -> None:
    from intvit.report.environment import core_count

    if max(options.threads) > core_count():
        console.warn(f"{max(options.threads)} threads share {core_count()} cores: their times tell little")


def _float_facts(path: str | None, session: Session) -> FloatModelFacts | None:
    if path is None:
        return None
    refuse_integer_model(path)
    from intvit.bench.float_model import measure_float_model

    facts = measure_float_model(path)
    if facts.image_size != session.image_size:
        raise UsageError(
            "the float model takes images of another size than the integer model",
            expected=" x ".join(map(str, session.image_size)),
            found=" x ".join(map(str, facts.image_size)),
            hint="give the float model that the integer model was made from",
        )
    return facts


def _inputs(options: argparse.Namespace, session: Session, *, needs_images: bool) -> Inputs:
    """Return images enough for calibration and for every batch."""
    import numpy as np

    from intvit.bench.inputs import Inputs, random_pixels

    count = max(CALIBRATION_IMAGES, *options.batch)
    pixels = random_pixels(count, session.image_size)
    if options.calib:
        found = folder_pixels(options.calib, count, session.preprocess)
        pixels = np.stack([found[i % len(found)] for i in range(count)])
    if not needs_images:
        return Inputs(pixels, pixels[:0])
    from intvit.quantize.api import normalizer

    return Inputs.of(pixels, normalizer(session.preprocess))


def _source(options: argparse.Namespace, facts: FloatModelFacts | None, inputs: Inputs) -> Source:
    from intvit.bench.engines.engine import Source

    path = Path(options.float_model) if options.float_model else None
    return Source(Path(options.model), path, facts.sha256 if facts else "", inputs.images[:CALIBRATION_IMAGES])


def _cases(options: argparse.Namespace) -> list[Case]:
    from intvit.bench.case import Case

    return [Case(threads, batch) for threads in options.threads for batch in options.batch]


def _facts(options: argparse.Namespace, session: Session, facts: FloatModelFacts | None) -> dict[str, Any]:
    from intvit.ir import check_graph
    from intvit.kernels.simd import current_level
    from intvit.report.macs import macs

    graph = session.model.graph
    return {
        "model": options.model,
        "float_model": options.float_model,
        "simd_level": str(current_level()),
        "macs": {"float": facts.macs if facts else None, "integer": macs(graph, check_graph(graph))},
        "weights_bytes": sum(array.nbytes for array in graph.constants.values()),
    }


def _extras(
    options: argparse.Namespace, session: Session, inputs: Inputs, progress: StageProgress
) -> dict[str, dict[str, Any] | None]:
    """Measure what was asked for besides."""
    from intvit.bench.profile import profile_model
    from intvit.bench.results import profile_values
    from intvit.bench.startup import measure_startup

    model = Path(options.model)
    startup = measure_startup(model, lambda done, total: progress("start-up", done, total)) if options.startup else None
    nodes = profile_model(session.model, inputs.pixels[:1]) if options.profile else None
    return {"startup": asdict(startup) if startup else None, "profile": profile_values(nodes) if nodes else None}


def _write_chart(path: str, values: dict[str, Any]) -> None:
    from intvit.bench.chart import chart_format, draw_chart
    from intvit.bench.panels import panels_of
    from intvit.files import write_atomically

    write_atomically(path, draw_chart(panels_of(Path(values["model"]).stem, values), chart_format(path)))


def _numbers(text: str) -> list[int]:
    return list(dict.fromkeys(positive(part) for part in text.split(",")))


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(part.strip() for part in text.split(",")))
