"""The conversion, start to end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import intvit
from intvit.data.preprocess import Preprocess
from intvit.errors import InputFileError, UnsupportedModelError
from intvit.importer import CanonicalModel, coverage, import_onnx, with_rows_apart
from intvit.io import IntegerModel, KnownAnswer, ModelInfo, digest
from intvit.io.digest import node_digest
from intvit.io.model import test_pattern
from intvit.ir import Graph, certify
from intvit.quantize.budget import choose_bits
from intvit.quantize.calibrate import calibrate
from intvit.quantize.families import choose_families, without_unread_scores
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.focused import Focus, focuses
from intvit.quantize.layer_rows import LayerRows
from intvit.quantize.linear_layers import linear_layers
from intvit.quantize.lower import lower
from intvit.quantize.lower.context import Context
from intvit.quantize.recipe import Recipe, find_recipe
from intvit.quantize.residuals import choose_residuals
from intvit.quantize.select import select_spreads
from intvit.quantize.sensitivity import sensitivities
from intvit.quantize.sites import find_sites
from intvit.quantize.softmax_search import select_layouts
from intvit.quantize.two_scale import select_coarse_shifts
from intvit.runtime.reference import trace_reference

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]


def quantize(
    source: str | Path | CanonicalModel,
    calibration: Iterable[Array],
    *,
    recipe: str | Recipe = "default",
    weight_bits: int | None = None,
    act_bits: int | None = None,
    budget: float | None = None,
    preprocess: Preprocess | None = None,
    labels: Sequence[str] = (),
    progress: Progress | None = None,
    warn: Callable[[str], None] | None = None,
) -> IntegerModel:
    """Convert a float Vision Transformer to an integer model.

    Args:
        source: an ONNX file, or one that has been imported already.
        calibration: uint8 [H, W, 3] RGB images at the model's size, 32 to 256 of them.
        recipe: a recipe or its name.
        weight_bits, act_bits: other bits than those of the recipe of that name; see `Recipe`.
        budget: bit operations over those of 8 by 8 bits, for which each site's bits are then chosen; see `Recipe`.
        preprocess: how images become pixels; its mean and std are folded into the first layer. ImageNet's by default.
        labels: class names to store in the model.
        progress: called with (stage, done, in all).
        warn: called with a text for every site that puts accuracy at risk.

    Returns:
        The integer model, certified free of overflow; the same arguments give the same model.

    Raises:
        InputFileError: the source is not a usable ONNX file, or a calibration image has the wrong form.
        UnsupportedModelError: a node can't be lowered.
        UsageError: there is no such recipe, or it can't have these bits or this budget.
    """
    recipe = find_recipe(recipe, weight_bits, act_bits, budget) if isinstance(recipe, str) else recipe
    model = source if isinstance(source, CanonicalModel) else import_onnx(source)
    _require_coverage(model)
    if recipe.widens:
        model = with_rows_apart(model)
    graph = FloatGraph(model)
    _, _, height, width = graph.shapes[graph.input]
    preprocess = preprocess or Preprocess.preset("imagenet", height, width)
    pixels = _checked_images(calibration, (height, width, 3))
    layers = linear_layers(graph)
    sites = find_sites(graph, layers, scores=recipe.normalizes)
    normalize = normalizer(preprocess)
    statistics = calibrate(
        model, sites, pixels, normalize, (lambda done, total: progress("calibrate", done, total)) if progress else None
    )
    if recipe.symmetric:
        statistics = {value: found.symmetric() for value, found in statistics.items()}
    layer_rows = LayerRows(
        model, list(layers.values()), pixels, normalize,
        (lambda done, total: progress("sample", done, total)) if progress else None,
    )  # fmt: skip
    context = Context(graph, layers, sites, statistics, recipe, layer_rows)
    if recipe.differentiates:
        context.sensitivities = sensitivities(
            graph, model, list(layers.values()), layer_rows, pixels, normalize,
            (lambda done, total: progress("differentiate", done, total)) if progress else None,
        )  # fmt: skip
    context.choices = choose_families(context)
    context.sites = without_unread_scores(context)
    context.spreads = select_spreads(context, (lambda done, total: progress("select", done, total)) if progress else None)
    if recipe.softmax == "two-scale":
        context.coarse_shifts = select_coarse_shifts(graph, model, pixels, normalize, recipe.act_bits)
    if recipe.softmax == "focused":
        candidates = tuple(focuses(recipe.act_bits))
        context.focuses = select_layouts(graph, model, pixels, normalize, candidates, Focus.values)
    if recipe.budget is not None:
        context.bits = choose_bits(
            context, model, pixels, normalize, (lambda done, total: progress("weigh", done, total)) if progress else None
        )
    context.residuals = choose_residuals(context)
    integer, scales = lower(context, preprocess)
    if warn:
        for text in context.warnings:
            warn(text)
    certificate = certify(integer)
    certificate.require()
    info = ModelInfo(
        source_sha256=model.source_sha256,
        tool_version=intvit.__version__,
        recipe=recipe.name,
        options={
            "recipe": recipe.to_json(),
            "calibration_images": len(pixels),
            "calibration_sha256": hashlib.sha256(b"".join(p.tobytes() for p in pixels)).hexdigest(),
            **({"choices": {name: choice.to_json() for name, choice in context.choices.items()}} if context.choices else {}),
            **({"bits": context.bits.to_json()} if recipe.budget is not None else {}),
        },
        preprocess=json.loads(preprocess.to_json()),
        labels=tuple(labels),
        output_scales=scales,
        certificate="; ".join(str(claim) for claim in certificate.tightest(3)),
    )
    return IntegerModel(integer, replace(info, known_answer=known_answer(integer)))


def known_answer(graph: Graph) -> KnownAnswer:
    """Run the reference on the synthetic test input and return all digests."""
    inputs = {name: test_pattern(kind.shape).astype(kind.dtype.dtype) for name, kind in graph.inputs.items()}
    nodes = {node.name: node_digest(graph, node, outputs) for node, outputs in trace_reference(graph, inputs)}
    return KnownAnswer(digest(next(iter(inputs.values()))), nodes)


def normalizer(preprocess: Preprocess) -> Callable[[Array], Array]:
    """Return the function from uint8 [N, H, W, 3] pixels to the float model's input float32 [N, 3, H, W]."""
    mean, std = (np.array([float(v) for v in f()]) for f in (preprocess.mean_fractions, preprocess.std_fractions))

    def normalize(pixels: Array) -> Array:
        values: Array = ((pixels / 255.0 - mean) / std).transpose(0, 3, 1, 2)
        return values.astype(np.float32)

    return normalize


def _require_coverage(model: CanonicalModel) -> None:
    missing = [c for c in coverage(model) if not c.supported]
    if missing:
        listed = "\n".join(f"  - {c.node} ({c.op_type}): {c.reason}" for c in missing[:10])
        more = f"\n  ... and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise UnsupportedModelError(f"{len(missing)} nodes have no integer operator yet\n{listed}{more}", hint=missing[0].hint)
    if not model.dynamic_batch:
        raise UnsupportedModelError(
            "the graph does not treat the images of a batch independently",
            hint="export it with a dynamic batch axis",
        )


def _checked_images(calibration: Iterable[Array], shape: tuple[int, int, int]) -> list[Array]:
    pixels = list(calibration)
    if not pixels:
        raise InputFileError("there are no calibration images", expected="32 to 256 images", hint="see --calib")
    for i, image in enumerate(pixels):
        if image.dtype != np.uint8 or image.shape != shape:
            raise InputFileError(
                f"calibration image {i} has the wrong form",
                expected=f"uint8 {list(shape)}",
                found=f"{image.dtype} {list(image.shape)}",
                hint="apply the model's Preprocess to each image first",
            )
    return pixels
