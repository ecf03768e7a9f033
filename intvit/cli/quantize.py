"""`intvit quantize`: from a float model and calibration images to an integer model."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intvit.cli.console import Console, decibels, size, table
from intvit.cli.inputs import image_size, import_float, positive
from intvit.cli.progress import StageProgress
from intvit.errors import UsageError

if TYPE_CHECKING:
    from intvit.data.preprocess import Preprocess
    from intvit.importer import CanonicalModel
    from intvit.io import IntegerModel
    from intvit.report.comparison import NodeComparison

NAME = "quantize"
HELP = "make an integer model from a float ONNX Vision Transformer"
DEFAULT_PREPROCESS = "imagenet"
COMPARED_IMAGES = 4
SHOWN_SITES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("float_model", metavar="FLOAT.onnx", help="the float model")
    parser.add_argument("--calib", metavar="DIR", required=True, help="a folder of images like those the model will see")
    parser.add_argument("--calib-images", metavar="N", type=positive, default=128, help="how many of them to use (128)")
    parser.add_argument("--recipe", metavar="NAME", default="default", help="how to convert: see docs/recipe.md (default)")
    parser.add_argument(
        "--weight-bits", metavar="B", type=positive, help="bits of a weight, 2 to 8 (the recipe's), 10 in accurate"
    )
    parser.add_argument(
        "--act-bits", metavar="B", type=positive, help="bits of what matrix products read, 3 to 8 (the recipe's)"
    )
    parser.add_argument(
        "--budget", metavar="X", type=float,
        help="mixed precision: bit operations over those of 8 by 8 bits, 0.25 to 2; see docs/recipe.md",
    )  # fmt: skip
    parser.add_argument(
        "--preprocess", metavar="HOW", help="imagenet, inception, or the JSON file of Hugging Face or timm (imagenet)"
    )
    parser.add_argument("--labels", metavar="FILE", help="class names to store, one a line")
    parser.add_argument("-o", "--output", metavar="MODEL.onnx", required=True, help="the integer model to write")


def run(options: argparse.Namespace, console: Console) -> int:
    """Run the command and return its exit status."""
    from intvit.report.choices import chosen_bits, chosen_families, residual_channels

    started = time.perf_counter()
    _check_options(options)
    canonical = import_float(options.float_model)
    height, width = image_size(canonical)
    preprocess = _preprocess(options.preprocess, height, width, console)
    labels = _labels(options.labels, canonical)
    warnings: list[str] = []
    with StageProgress(console) as progress:
        pixels = _calibration(options, preprocess, progress)
        model = _convert(canonical, pixels, options, preprocess, labels, progress, warnings)
        model.save(options.output)
        nodes = _compare(model, canonical, pixels, progress)
    for text in warnings:
        console.warn(text)
    result = {
        "model": options.output,
        "recipe": model.info.recipe,
        "calibration_images": len(pixels),
        "float_bytes": Path(options.float_model).stat().st_size,
        "integer_bytes": Path(options.output).stat().st_size,
        "seconds": round(time.perf_counter() - started, 3),
        "lowest_sqnr": [{"node": n.node, "kind": n.kind, "sqnr_db": n.sqnr_db} for n in nodes],
        "choices": chosen_families(model.info.options),
        "bits": chosen_bits(model.info.options),
        "residuals": residual_channels(model.graph),
        "warnings": warnings,
    }
    console.result(result, _text(options, result))
    return 0


def _check_options(options: argparse.Namespace) -> None:
    """Refuse what can be refused before the work starts."""
    from intvit.extras import require_extra
    from intvit.files import check_writable

    require_extra("quantize")
    from intvit.quantize.recipe import find_recipe

    find_recipe(options.recipe, options.weight_bits, options.act_bits, options.budget)
    output, source = Path(options.output), Path(options.float_model)
    if output.exists() and source.exists() and output.samefile(source):
        raise UsageError("the output would replace the float model", where="-o", hint="choose another name")
    check_writable(options.output)


def _preprocess(choice: str | None, height: int, width: int, console: Console) -> Preprocess:
    from intvit.data.preprocess import Preprocess

    preprocess = Preprocess.resolve(choice or DEFAULT_PREPROCESS, height, width)
    if choice is None:
        console.warn(
            f"no --preprocess given, taking '{DEFAULT_PREPROCESS}': short side {preprocess.resize_short} "
            f"{preprocess.interpolation}, centre crop {width} x {height}, mean {', '.join(preprocess.mean)}, "
            f"std {', '.join(preprocess.std)}; accuracy is lost if the model was trained otherwise"
        )
    return preprocess


def _labels(path: str | None, canonical: CanonicalModel) -> list[str]:
    from intvit.data.labels import read_class_names

    if path is None:
        return []
    classes = canonical.shapes[str(canonical.model.graph.outputs[0].name)][-1]
    return read_class_names(path, int(classes))


def _calibration(options: argparse.Namespace, preprocess: Preprocess, progress: StageProgress) -> list[Any]:
    from intvit.data.images import list_images, sample_evenly
    from intvit.report.pixels import read_batches

    paths = sample_evenly(list_images(options.calib), options.calib_images)
    return [image for batch in read_batches(paths, preprocess, progress, "read") for image in batch]


def _convert(
    canonical: CanonicalModel,
    pixels: list[Any],
    options: argparse.Namespace,
    preprocess: Preprocess,
    labels: list[str],
    progress: StageProgress,
    warnings: list[str],
) -> IntegerModel:
    from intvit.quantize.api import quantize

    return quantize(
        canonical,
        pixels,
        recipe=options.recipe,
        weight_bits=options.weight_bits,
        act_bits=options.act_bits,
        budget=options.budget,
        preprocess=preprocess,
        labels=labels,
        progress=progress,
        warn=warnings.append,
    )


def _compare(
    model: IntegerModel, canonical: CanonicalModel, pixels: list[Any], progress: StageProgress
) -> list[NodeComparison]:
    from intvit.report.comparison import compare_nodes, worst_first

    step = -(-len(pixels) // COMPARED_IMAGES)
    return worst_first(compare_nodes(model, canonical, pixels[::step], progress))[:SHOWN_SITES]


def _text(options: argparse.Namespace, result: dict[str, Any]) -> str:
    from intvit.report.choices import HEADER, bits_lines, choice_row, residual_lines

    choices = [choice_row(choice) for choice in result["choices"]]
    rows = [(f"  {n['node']}", n["kind"], decibels(n["sqnr_db"])) for n in result["lowest_sqnr"]]
    before, after = result["float_bytes"], result["integer_bytes"]
    return "\n".join(
        [
            f"wrote {options.output}: {size(before)} float -> {size(after)} integer, in {result['seconds']:.1f} s",
            "lowest signal to quantization noise:",
            table(rows, right=(2,)),
            *([table(choices, HEADER)] if choices else []),
            *bits_lines(result["bits"]),
            *residual_lines(result["residuals"]),
            f"next: intvit verify {options.output}",
        ]
    )
