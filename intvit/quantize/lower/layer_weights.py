"""The integer weights and bias of a linear layer, from what calibration saw of its input."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from intvit.numerics import Interval
from intvit.quantize.encoding import Encoding
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context
from intvit.quantize.ranges import encode
from intvit.quantize.sites import Site
from intvit.quantize.uses import Use, UseKind
from intvit.quantize.weights import compensated_weights, round_weights

Array = NDArray[Any]


def integer_weights(
    context: Context, layer: LinearLayer, encoding: Encoding, scale: Array, zero_point: Array
) -> tuple[Array, Array, Array]:
    """Return weight codes [K, C], their scales [C] and the bias [C] in accumulator units (real-valued).

    Args:
        context: the lowering's state.
        layer: the layer.
        encoding: of its input.
        scale, zero_point: the same by input channel, float64 [K].
    """
    folded, bits = layer.weight * scale[:, None], context.weight_bits(layer)
    if layer.kernel:
        codes, steps = round_weights(folded, bits)
        return codes, steps, layer.bias / steps - zero_point @ codes
    real, own = context.layer_rows.of(layer)
    units = encode(real, scale, zero_point, Interval(encoding.low, encoding.high)) - zero_point
    if context.recipe.compensate_weights:
        codes, steps = compensated_weights(folded, units, bits)
    else:
        codes, steps = round_weights(folded, bits)
    bias = layer.bias / steps - zero_point @ codes
    if context.recipe.correct_bias:
        bias = bias + ((real[:own] @ layer.weight).mean(0) / steps - (units[:own] @ codes).mean(0))
    return codes, steps, bias


def reader_of(context: Context, layer: LinearLayer) -> tuple[Site, Use]:
    """Return the site that a layer reads and the use by which it does."""
    for site in context.sites.values():
        for use in site.uses:
            if use.kind == UseKind.LINEAR and use.value == layer.input and use.node and use.node.name == layer.name:
                return site, use
    raise KeyError(layer.input)
