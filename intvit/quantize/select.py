"""Choosing the spread of GELU outputs by what each does to the logits of images that calibration did not use.

Per-channel scales fit the calibration images better the stronger they are, and saturate the more on others; the error of the
layer itself does not show it, because the few rows that suffer (the class token's) are few. So each candidate's error is
injected into the float model and judged by the logits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.numerics import Interval
from intvit.quantize.calibrate import BATCH, Progress, float_session
from intvit.quantize.choose import wide_limit
from intvit.quantize.injection import rest_after
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context
from intvit.quantize.ranges import decode, encode, from_common_low, unsigned_codes
from intvit.quantize.recipe import DEFAULT_SPREAD, Spread
from intvit.quantize.uses import UseKind
from intvit.quantize.weights import round_weights

Array = NDArray[Any]
MIN_IMAGES = 8
"""With fewer calibration images nothing is judged."""


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
    readers = _readers(context)
    halves = [np.stack(pixels[i::2][: context.recipe.selection_images]) for i in (0, 1)]
    for done, (site, layer) in enumerate(readers.items()):
        errors = _logit_errors(context, model, (site, layer), [normalize(half) for half in halves])
        result[site] = candidates[int(errors.argmin())]
        if progress:
            progress(done + 1, len(readers))
    return result


def _logit_errors(context: Context, model: CanonicalModel, place: tuple[str, LinearLayer], halves: list[Array]) -> Array:
    """Return the squared error of the outputs for every candidate; each half is judged with the other half's ranges."""
    site, layer = place
    codes, bits = unsigned_codes(context.act_bits(context.sites[site])), context.weight_bits(layer)
    outputs, candidates = context.graph.outputs, context.recipe.gelu_candidates
    rest, crossing = rest_after(model, layer.output)
    head = float_session(model, [site, *crossing])
    values = [_run(head, {head.get_inputs()[0].name: x}, [*outputs, site, *crossing]) for x in halves]
    errors = np.zeros(len(candidates))
    for seen, judged in ((values[0], values[1]), (values[1], values[0])):
        rows = seen[site].reshape(-1, len(layer.weight)).astype(np.float64)
        feed = {name: judged[name] for name in crossing}
        for i, spread in enumerate(candidates):
            scales = from_common_low(rows.min(0), rows.max(0), spread, codes)
            noise = _layer_error(layer, bits, judged[site].astype(np.float64), codes, *scales)
            noisy = _run(rest, feed | {layer.output: judged[layer.output] + noise}, outputs)
            errors[i] += sum(float(((noisy[o] - judged[o]) ** 2).sum()) for o in outputs)
    return errors


def _gelu_sites(context: Context) -> list[str]:
    """Return the GELU outputs that get 8 bits and are read by linear layers alone."""
    sites = [context.sites[node.output] for node in context.graph.nodes if node.op == "Gelu" and node.output in context.sites]
    return [site.value for site in sites if site.kind == UseKind.LINEAR and wide_limit(context, site) is None]


def _readers(context: Context) -> dict[str, LinearLayer]:
    """Return the layer behind each GELU output that goes straight into exactly one, in graphs that lead with the batch."""
    found = {}
    axes = {context.graph.batch_axes[name] for name in context.sites}
    for value in _gelu_sites(context):
        uses = context.sites[value].uses
        if len(uses) == 1 and uses[0].node is not None and uses[0].value == value and axes == {0}:
            found[value] = context.layers[uses[0].node.name]
    return found


def _layer_error(layer: LinearLayer, bits: int, x: Array, codes: Interval, scale: Array, zero_point: Array) -> Array:
    """Return what quantizing a layer's input and weights adds to its output, without the mean, which the bias takes."""
    weights, steps = round_weights(layer.weight * scale[:, None], bits)
    seen = decode(encode(x, scale, zero_point, codes), scale, zero_point) / scale
    error = (seen @ weights) * steps - x @ layer.weight
    centred: Array = error - error.mean(tuple(range(error.ndim - 1)))
    return centred.astype(np.float32)


def _run(session: Any, feed: dict[str, Array], outputs: list[str]) -> dict[str, Array]:
    """Run a session over a batch in small parts and join the results."""
    images = len(next(iter(feed.values())))
    parts = []
    for start in range(0, images, BATCH):
        part = {name: array[start : start + BATCH] for name, array in feed.items()}
        parts.append(session.run(outputs, part))
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(outputs)}
