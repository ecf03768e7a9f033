"""Choosing the spread of GELU outputs by what each does to the logits of images that it was not made from.

Per-channel scales fit the calibration images better the stronger they are, and saturate the more on others; the error of the
layer itself does not show it, because the few rows that suffer (the class token's) are few. So each candidate's error is
injected into the float model and judged by the logits, with ranges from all images but those of the same fold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.numerics import Interval
from intvit.quantize.calibrate import Progress, float_session, run_in_batches
from intvit.quantize.choose import gelu_encoding, wide_limit
from intvit.quantize.float_parts import Walk, rest_after, share_after
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context
from intvit.quantize.ranges import decode, encode, unsigned_codes
from intvit.quantize.recipe import DEFAULT_SPREAD, Spread
from intvit.quantize.uses import UseKind
from intvit.quantize.weights import rounded_weights

Array = NDArray[Any]
MIN_IMAGES = 8
"""With fewer calibration images nothing is judged."""
MOST_IMAGES = 64
"""At most so many images judge a site."""
FOLDS = 4
"""Into how many parts the judging images are split; each is judged by ranges that it gave nothing to."""
HOPELESS = 4.0
"""A candidate with so many times the best one's error after a fold is given up."""


def select_spreads(
    context: Context,
    model: CanonicalModel,
    pixels: list[Array],
    normalize: Callable[[Array], Array],
    progress: Progress | None = None,
) -> dict[str, Spread]:
    """Return the spread of every GELU output that one linear layer reads, by value name.

    Args:
        context: the lowering's state.
        model: the canonical float model.
        pixels: the calibration images, uint8 [H, W, 3].
        normalize: uint8 [N, H, W, 3] to the model's input.
        progress: called with (sites done, sites in all).
    """
    candidates = context.recipe.gelu_candidates
    result = dict.fromkeys(_gelu_sites(context), candidates[0] if len(candidates) == 1 else DEFAULT_SPREAD)
    readers = _layers_behind(context)
    if len(candidates) == 1 or len(pixels) < MIN_IMAGES or not readers:
        return result
    proto = model.to_proto()
    shares = {site: share_after(proto, layer.output) for site, layer in readers.items()}
    images = normalize(np.stack(pixels))
    outputs = run_in_batches(float_session(model), {context.graph.input: images}, context.graph.outputs)
    walk = Walk(proto, images, list(readers))
    for done, site in enumerate(sorted(readers, key=lambda site: -shares[site])):
        asked = max(context.recipe.selection_images / shares[site], FOLDS)
        judges = np.linspace(0, len(pixels) - 1, min(int(asked), MOST_IMAGES, len(pixels))).astype(int)
        seen = walk.to(readers[site].output) | outputs
        errors = _logit_errors(context, proto, (site, readers[site]), judges, seen)
        walk.drop(site)
        result[site] = candidates[int(errors.argmin())]
        if progress:
            progress(done + 1, len(readers))
    return result


def _logit_errors(
    context: Context, proto: onnx.ModelProto, place: tuple[str, LinearLayer], judges: Array, seen: dict[str, Array]
) -> Array:
    """Return the squared error of the outputs for every candidate, float64 [candidates]; infinite for those given up.

    Args:
        context: the lowering's state.
        proto: the canonical float model.
        place: the GELU output, and the layer that reads it.
        judges: the numbers, among the calibration images, of those that judge, int64 [images].
        seen: what the float model has for all calibration images: the outputs, the GELU's output, and what crosses from the
            layer to the rest of the model.
    """
    site, layer = place
    statistics, codes = context.statistics[site], unsigned_codes(context.act_bits(context.sites[site]))
    outputs, candidates = context.graph.outputs, context.recipe.gelu_candidates
    rest, crossing = rest_after(proto, layer.output)
    weight = layer.weight.astype(np.float32)
    weight_errors = [_weight_error(context, layer, gelu_encoding(statistics, c, codes), codes) for c in candidates]
    errors = np.zeros(len(candidates))
    for fold in range(FOLDS):
        own = judges[fold::FOLDS]
        x, feed = seen[site][own], {name: seen[name][own] for name in crossing}
        for i in np.flatnonzero(np.isfinite(errors)):
            encoding = _single(gelu_encoding(statistics, candidates[i], codes, own))
            noise = (decode(encode(x, *encoding, codes), *encoding) - x) @ weight + x @ weight_errors[i]
            noise -= noise.mean(tuple(range(noise.ndim - 1)))
            noisy = run_in_batches(rest, feed | {layer.output: feed[layer.output] + noise}, outputs)
            errors[i] += sum(float(((noisy[o] - seen[o][own]) ** 2).sum()) for o in outputs)
        errors[errors > HOPELESS * errors.min()] = np.inf
    return errors


def _gelu_sites(context: Context) -> list[str]:
    """Return the GELU outputs that get 8 bits and are read by linear layers alone."""
    sites = [context.sites[node.output] for node in context.graph.nodes if node.op == "Gelu" and node.output in context.sites]
    return [site.value for site in sites if site.kind == UseKind.LINEAR and wide_limit(context, site) is None]


def _layers_behind(context: Context) -> dict[str, LinearLayer]:
    """Return the layer behind each GELU output that goes straight into exactly one, in graphs that lead with the batch."""
    found = {}
    axes = {context.graph.batch_axes[name] for name in context.sites}
    for value in _gelu_sites(context):
        uses = context.sites[value].uses
        if len(uses) == 1 and uses[0].node is not None and uses[0].value == value and axes == {0}:
            found[value] = context.layers[uses[0].node.name]
    return found


def _weight_error(context: Context, layer: LinearLayer, encoding: tuple[Array, Array], codes: Interval) -> Array:
    """Return what rounding adds to the real weights, float32 [K, C], of a layer that reads codes of that encoding."""
    scale, zero_point = encoding
    units = encode(context.layer_rows.of(layer), scale, zero_point, codes)
    folded = layer.weight * scale[:, None]
    bits, compensate = context.weight_bits(layer), context.recipe.compensate_weights
    rounded, steps = rounded_weights(folded, units - units.mean(0), bits, compensate)
    error: Array = (rounded * steps - folded) / scale[:, None]
    return error.astype(np.float32)


def _single(encoding: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return an encoding in float32, which is exact enough to judge by and half the work."""
    scale, zero_point = encoding
    return scale.astype(np.float32), zero_point.astype(np.float32)
