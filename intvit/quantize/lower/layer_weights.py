"""The integer weights and bias of a linear layer, from what calibration saw of its input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import Interval
from intvit.quantize.easy_first import row_weights
from intvit.quantize.encoding import Encoding
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.low_rank import choose_rank, low_rank
from intvit.quantize.lower.context import Context
from intvit.quantize.lower.emit_linear import RealLinear
from intvit.quantize.lower.side_branch import SideBranch
from intvit.quantize.ranges import encode
from intvit.quantize.sites import Site
from intvit.quantize.uses import Use, UseKind
from intvit.quantize.weights import compensated_weights, round_weights

Array = NDArray[Any]


@dataclass(frozen=True)
class LayerInputs:
    """Rows that a layer reads.

    Attributes:
        real: in the float model, float64 [R, K], the layer's own first.
        units: the same in codes less their zero points.
        own: how many are the layer's own.
        weights: how much each counts, float64 [R].
    """

    real: Array
    units: Array
    own: int
    weights: Array

    def weighted(self, centre: Array | float = 0.0) -> Array:
        """Return the units less a centre, so that their Gram matrix counts each row as it should."""
        result: Array = (self.units - centre) * np.sqrt(self.weights)[:, None]
        return result


def integer_weights(
    context: Context, layer: LinearLayer, encoding: Encoding, scale: Array, zero_point: Array
) -> tuple[RealLinear, SideBranch | None]:
    """Return a layer's integer weights with their bias, and what makes up for their rounding, if anything does.

    Args:
        context: the lowering's state.
        layer: the layer.
        encoding: of its input.
        scale, zero_point: the same by input channel, float64 [K].
    """
    folded, bits, recipe = layer.weight * scale[:, None], context.weight_bits(layer), context.recipe
    if layer.kernel:
        codes, steps = round_weights(folded, bits)
        return RealLinear(codes, steps, layer.bias / steps - zero_point @ codes), None
    inputs = _inputs(context, layer, encoding, scale, zero_point)
    if recipe.compensate_weights:
        codes, steps = compensated_weights(folded, inputs.weighted(), bits)
    else:
        codes, steps = round_weights(folded, bits)
    bias = layer.bias / steps - zero_point @ codes
    real, units = inputs.real[: inputs.own], inputs.units[: inputs.own]
    if recipe.correct_bias:
        bias = bias + ((real @ layer.weight).mean(0) / steps - (units @ codes).mean(0))
    branch = None
    if recipe.low_rank and not context.makes_output(layer):
        branch = _side_branch(context, layer, inputs, (folded, codes * steps), zero_point)
    return RealLinear(codes, steps, bias), branch


def _inputs(context: Context, layer: LinearLayer, encoding: Encoding, scale: Array, zero_point: Array) -> LayerInputs:
    real, own = context.layer_rows.of(layer)
    units = encode(real, scale, zero_point, Interval(encoding.low, encoding.high)) - zero_point
    weights, share = np.ones(len(real)), context.recipe.easy_share
    if share < 1:
        plain, steps = round_weights(layer.weight * scale[:, None], context.weight_bits(layer))
        losses = ((units @ plain * steps - real @ layer.weight) ** 2).sum(1)
        weights = row_weights(losses, context.layer_rows.images_of(layer), share)
    return LayerInputs(real, units, own, weights)


def _side_branch(
    context: Context, layer: LinearLayer, inputs: LayerInputs, weights: tuple[Array, Array], zero_point: Array
) -> SideBranch | None:
    """Return the side branch of the best rank for a layer of some real and rounded weights; None where no rank pays.

    The branch reads codes less their mean where the layer's bias takes the mean error, else less their zero points. The rank is
    judged on the first half of the layer's own rows, by a correction made from the others.
    """
    folded, rounded = weights
    units = inputs.units[: inputs.own]
    centre = units.mean(0) if context.recipe.correct_bias else np.zeros(len(folded))
    largest, half, rows = max(context.recipe.low_rank), inputs.own // 2, inputs.weighted(centre)
    seen = slice(half)
    wanted = inputs.real[seen] @ layer.weight
    noise = wanted - units[seen] @ rounded
    judged = low_rank(folded - rounded, rows[half:], largest)
    rank = choose_rank(judged, context.recipe.low_rank, units[seen] - centre, wanted, noise)
    if rank == 0:
        return None
    best = low_rank(folded - rounded, rows, rank)
    reach = np.maximum(np.abs((units - centre) @ best.down).max(0), 1e-9)
    return SideBranch(zero_point + centre, best.down, best.up, reach)


def reader_of(context: Context, layer: LinearLayer) -> tuple[Site, Use]:
    """Return the site that a layer reads and the use by which it does."""
    for site in context.sites.values():
        for use in site.uses:
            if use.kind == UseKind.LINEAR and use.value == layer.input and use.node and use.node.name == layer.name:
                return site, use
    raise KeyError(layer.input)
