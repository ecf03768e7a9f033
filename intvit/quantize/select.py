"""Choosing the spread of GELU outputs by what each does to the logits of images that calibration did not use.

Per-channel scales fit the calibration images better the stronger they are, and saturate the more on others; the error of the
layer itself does not show it, because the few rows that suffer (the class token's) are few. So each candidate's error is
injected into the float model and judged by the logits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.numerics import U8
from intvit.quantize.calibrate import BATCH, Progress, float_session, open_session
from intvit.quantize.choose import wide_limit
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context
from intvit.quantize.ranges import decode, encode, from_common_low
from intvit.quantize.recipe import Spread
from intvit.quantize.uses import UseKind
from intvit.quantize.weights import round_weights

Array = NDArray[Any]
_NOISE = "intvit.noise"


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
    readers = _readers(context)
    if len(candidates) == 1 or len(pixels) < 2:
        return dict.fromkeys(readers, candidates[0])
    halves = [np.stack(pixels[i::2][: context.recipe.selection_images]) for i in (0, 1)]
    inputs = [normalize(half) for half in halves]
    values = [_run(float_session(model, [*readers]), x, [*context.graph.outputs, *readers]) for x in inputs]
    result = {}
    for done, (site, layer) in enumerate(readers.items()):
        session = _noisy_session(model, layer.output)
        errors = np.zeros(len(candidates))
        for seen, judged in ((0, 1), (1, 0)):
            rows = values[seen][site].reshape(-1, len(layer.weight))
            for i, spread in enumerate(candidates):
                scales = from_common_low(rows.min(0).astype(np.float64), rows.max(0).astype(np.float64), spread)
                noise = _layer_error(layer, values[judged][site].astype(np.float64), *scales)
                logits = _run(session, inputs[judged], context.graph.outputs, noise)
                errors[i] += sum(float(((logits[o] - values[judged][o]) ** 2).sum()) for o in context.graph.outputs)
        result[site] = candidates[int(errors.argmin())]
        if progress:
            progress(done + 1, len(readers))
    return result


def _readers(context: Context) -> dict[str, LinearLayer]:
    """Return GELU outputs that go straight into exactly one linear layer."""
    found = {}
    for node in context.graph.nodes:
        site = context.sites.get(node.output) if node.op == "Gelu" else None
        uses = site.uses if site else ()
        if site is None or wide_limit(context, site) is not None:
            continue
        if len(uses) == 1 and uses[0].kind == UseKind.LINEAR and uses[0].node and uses[0].value == node.output:
            found[node.output] = context.layers[uses[0].node.name]
    return found


def _layer_error(layer: LinearLayer, x: Array, scale: Array, zero_point: Array) -> Array:
    """Return what quantizing a layer's input and weights adds to its output, without the mean, which the bias takes."""
    codes, steps = round_weights(layer.weight * scale[:, None])
    seen = decode(encode(x, scale, zero_point, U8), scale, zero_point) / scale
    error = (seen @ codes) * steps - x @ layer.weight
    centred: Array = error - error.mean(tuple(range(error.ndim - 1)))
    return centred.astype(np.float32)


def _noisy_session(model: CanonicalModel, value: str) -> Any:
    """Return a session on the float model in which a second input is added to a value."""
    proto = model.to_proto()
    for node in proto.graph.node:
        for i, name in enumerate(node.output):
            if name == value:
                node.output[i] = f"{value}.exact"
                extra = onnx.helper.make_node("Add", [f"{value}.exact", _NOISE], [value], name=f"{value}.noisy")
    position = next(i for i, node in enumerate(proto.graph.node) if f"{value}.exact" in node.output)
    proto.graph.node.insert(position + 1, extra)
    shape = next(v.type.tensor_type.shape for v in proto.graph.value_info if v.name == value)
    proto.graph.input.append(onnx.helper.make_tensor_value_info(_NOISE, onnx.TensorProto.FLOAT, [None] * len(shape.dim)))
    return open_session(proto)


def _run(session: Any, x: Array, outputs: list[str], noise: Array | None = None) -> dict[str, Array]:
    """Run a session over a batch in small parts and join the results."""
    image = session.get_inputs()[0].name
    parts = []
    for start in range(0, len(x), BATCH):
        feed = {image: x[start : start + BATCH]}
        if noise is not None:
            feed[_NOISE] = noise[start : start + BATCH]
        parts.append(session.run(outputs, feed))
    return {name: np.concatenate([part[i] for part in parts]) for i, name in enumerate(outputs)}
