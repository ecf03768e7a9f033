"""Choosing the spread of GELU outputs by what each does to the model's outputs on images that it was not made from.

Per-channel scales fit the calibration images better the stronger they are, and saturate the more on others. So each candidate's
error is taken on every part of the images with ranges from the others, and counts as the gradients of the model's outputs say:
the few rows that suffer most (the class token's) may be those on which these depend.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import Interval
from intvit.quantize.calibrate import Progress
from intvit.quantize.choose import gelu_encoding, wide_limit
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context
from intvit.quantize.ranges import decode, encode, unsigned_codes
from intvit.quantize.recipe import DEFAULT_SPREAD, Spread
from intvit.quantize.uses import UseKind
from intvit.quantize.weights import rounded_weights

Array = NDArray[Any]
MIN_IMAGES = 8
"""With fewer calibration images nothing is judged."""
FOLDS = 4
"""Into how many parts the images are split; each is judged by ranges that it gave nothing to."""


def select_spreads(context: Context, progress: Progress | None = None) -> dict[str, Spread]:
    """Return the spread of every GELU output that one linear layer reads, by value name.

    Args:
        context: the lowering's state; sensitivities are known.
        progress: called with (sites done, sites in all).
    """
    candidates = context.recipe.gelu_candidates
    result = dict.fromkeys(_gelu_sites(context), candidates[0] if len(candidates) == 1 else DEFAULT_SPREAD)
    readers = _layers_behind(context)
    if len(candidates) == 1 or context.layer_rows.images < MIN_IMAGES:
        return result
    for done, (site, layer) in enumerate(readers.items()):
        result[site] = candidates[int(_output_errors(context, site, layer).argmin())]
        if progress:
            progress(done + 1, len(readers))
    return result


def _output_errors(context: Context, site: str, layer: LinearLayer) -> Array:
    """Return the squared error of the model's outputs for every candidate of a GELU's output, float64 [candidates]."""
    statistics, codes = context.statistics[site], unsigned_codes(context.act_bits(context.sites[site]))
    x, images = context.layer_rows.of(layer).astype(np.float32), context.layer_rows.images_of(layer)
    weight, sensitivity = layer.weight.astype(np.float32), context.sensitivities[layer.name]
    errors = []
    for candidate in context.recipe.gelu_candidates:
        noise = x @ _weight_error(context, layer, gelu_encoding(statistics, candidate, codes), codes)
        for fold in range(FOLDS):
            own = images % FOLDS == fold
            encoding = _single(gelu_encoding(statistics, candidate, codes, np.unique(images[own])))
            noise[own] += (decode(encode(x[own], *encoding, codes), *encoding) - x[own]) @ weight
        errors.append(sensitivity.squared_error(noise - noise.mean(0)))
    return np.array(errors)


def _gelu_sites(context: Context) -> list[str]:
    """Return the GELU outputs that get 8 bits and are read by linear layers alone."""
    sites = [context.sites[node.output] for node in context.graph.nodes if node.op == "Gelu" and node.output in context.sites]
    return [site.value for site in sites if site.kind == UseKind.LINEAR and wide_limit(context, site) is None]


def _layers_behind(context: Context) -> dict[str, LinearLayer]:
    """Return the layer behind each GELU output that goes straight into exactly one."""
    found = {}
    for value in _gelu_sites(context):
        uses = context.sites[value].uses
        if len(uses) == 1 and uses[0].node is not None and uses[0].value == value:
            found[value] = context.layers[uses[0].node.name]
    return found


def _weight_error(context: Context, layer: LinearLayer, encoding: tuple[Array, Array], codes: Interval) -> Array:
    """Return what rounding adds to the real weights, float32 [K, C], of a layer that reads codes of that encoding."""
    scale, zero_point = encoding
    units = encode(context.layer_rows.of(layer), scale, zero_point, codes)
    folded = layer.weight * scale[:, None]
    bits, compensate = context.weight_bits(layer), context.recipe.compensate_weights
    centred, outputs = units - units.mean(0), None
    if sensitivity := context.sensitivity(layer):
        centred, outputs = centred * np.sqrt(sensitivity.even_rows)[:, None], sensitivity.damped_channels
    rounded, steps = rounded_weights(folded, centred, bits, compensate, outputs)
    error: Array = (rounded * steps - folded) / scale[:, None]
    return error.astype(np.float32)


def _single(encoding: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return an encoding in float32, which is exact enough to judge by and half the work."""
    scale, zero_point = encoding
    return scale.astype(np.float32), zero_point.astype(np.float32)
