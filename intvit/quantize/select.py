"""Choosing the spread of GELU outputs by what each does to the logits of images that it was not made from.

Per-channel scales fit the calibration images better the stronger they are, and saturate the more on others; the error of the
layer itself does not show it, because the few rows that suffer (the class token's) are few. So each candidate's error is
injected into the float model and judged by the logits, with ranges from all images but those of the same fold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.numerics import Interval
from intvit.quantize.calibrate import BATCH, Progress, float_session
from intvit.quantize.choose import gelu_encoding, wide_limit
from intvit.quantize.injection import rest_after, share_after
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
    if len(candidates) == 1 or len(pixels) < MIN_IMAGES:
        return result
    readers = _layers_behind(context)
    for done, (site, layer) in enumerate(readers.items()):
        asked = max(context.recipe.selection_images / share_after(model, layer.output), FOLDS)
        judges = np.linspace(0, len(pixels) - 1, min(int(asked), MOST_IMAGES, len(pixels))).astype(int)
        errors = _logit_errors(context, model, (site, layer), judges, normalize(np.stack([pixels[i] for i in judges])))
        result[site] = candidates[int(errors.argmin())]
        if progress:
            progress(done + 1, len(readers))
    return result


def _logit_errors(
    context: Context, model: CanonicalModel, place: tuple[str, LinearLayer], judges: Array, images: Array
) -> Array:
    """Return the squared error of the outputs for every candidate, float64 [candidates]; infinite for those given up.

    Args:
        context: the lowering's state.
        model: the canonical float model.
        place: the GELU output, and the layer that reads it.
        judges: the numbers, among the calibration images, of those that judge, int64 [images].
        images: these as the model's input, float32 [images, 3, H, W].
    """
    site, layer = place
    statistics, codes = context.statistics[site], unsigned_codes(context.act_bits(context.sites[site]))
    outputs, candidates = context.graph.outputs, context.recipe.gelu_candidates
    rest, crossing = rest_after(model, layer.output)
    head = float_session(model, [site, *crossing])
    weight_errors = [_weight_error(context, layer, gelu_encoding(statistics, spread, codes), codes) for spread in candidates]
    errors = np.zeros(len(candidates))
    for fold in range(FOLDS):
        seen = _run(head, {head.get_inputs()[0].name: images[fold::FOLDS]}, [*outputs, site, *crossing])
        feed, x = {name: seen[name] for name in crossing}, seen[site].astype(np.float64)
        for i in np.flatnonzero(np.isfinite(errors)):
            encoding = gelu_encoding(statistics, candidates[i], codes, judges[fold::FOLDS])
            noise = (decode(encode(x, *encoding, codes), *encoding) - x) @ layer.weight + x @ weight_errors[i]
            noise -= noise.mean(tuple(range(noise.ndim - 1)))
            noisy = _run(rest, feed | {layer.output: seen[layer.output] + noise.astype(np.float32)}, outputs)
            errors[i] += sum(float(((noisy[o] - seen[o]) ** 2).sum()) for o in outputs)
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
    """Return what rounding adds to the real weights, float64 [K, C], of a layer that reads codes of that encoding."""
    scale, zero_point = encoding
    units = encode(context.layer_rows.of(layer), scale, zero_point, codes)
    folded = layer.weight * scale[:, None]
    bits, compensate = context.weight_bits(layer), context.recipe.compensate_weights
    rounded, steps = rounded_weights(folded, units - units.mean(0), bits, compensate)
    error: Array = (rounded * steps - folded) / scale[:, None]
    return error


def _run(session: Any, feed: dict[str, Array], outputs: list[str]) -> dict[str, Array]:
    """Run a session over a batch in small parts and join the results."""
    images = len(next(iter(feed.values())))
    parts = []
    for start in range(0, images, BATCH):
        part = {name: array[start : start + BATCH] for name, array in feed.items()}
        parts.append(session.run(outputs, part))
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(outputs)}
