"""The integer weights and bias of a linear layer, from what calibration saw of its input."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import U8
from intvit.quantize.easy_first import row_weights
from intvit.quantize.input_codes import InputCodes
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.low_rank import choose_rank, low_rank
from intvit.quantize.lower.context import Context, Rounded
from intvit.quantize.lower.emit_linear import RealLinear
from intvit.quantize.lower.side_branch import SideBranch
from intvit.quantize.sites import Site
from intvit.quantize.uses import Use, UseKind
from intvit.quantize.weights import round_weights, rounded_weights

Array = NDArray[Any]


@dataclass(frozen=True)
class LayerInputs:
    """Rows that a layer reads.

    Attributes:
        real: in the float model, float64 [R, K].
        units: what the weights multiply for them, as `InputCodes` gives it.
        weights: how much each counts, float64 [R].
        centre: the mean of the units if the bias takes the mean error, else zero.
        outputs: how much the products of errors of two outputs count, float64 [C, C]; None if only squares do, all the same.
    """

    real: Array
    units: Array
    weights: Array
    centre: Array
    outputs: Array | None

    def weighted(self) -> Array:
        """Return the units less their centre, so that their Gram matrix counts each row as it should."""
        result: Array = (self.units - self.centre) * np.sqrt(self.weights)[:, None]
        return result


def integer_weights(context: Context, layer: LinearLayer, source: InputCodes) -> tuple[RealLinear, SideBranch | None]:
    """Return a layer's integer weights with their bias, and what makes up for their rounding, if anything does.

    Args:
        context: the lowering's state.
        layer: the layer.
        source: how its input is written.
    """
    folded, zero_points = source.folded(layer.weight), source.zero_points
    inputs = _inputs(context, layer, source)
    shared = _shared(context, layer, source)
    codes, steps = (shared.codes, shared.steps) if shared else _rounded(context, layer, folded, inputs)
    branch = None
    if rank := _rank(context, layer, inputs, folded, codes * steps):
        correction = low_rank(folded - codes * steps, inputs.weighted(), rank, inputs.outputs)
        codes, steps = _rounded(context, layer, folded - correction.product, inputs)
        correction = low_rank(folded - codes * steps, inputs.weighted(), rank, inputs.outputs)
        reach = np.abs((inputs.units - inputs.centre) @ correction.down).max(0)
        branch = SideBranch(zero_points + inputs.centre, correction.down, correction.up, np.maximum(reach, 1e-9))
    bias = layer.bias / steps - zero_points @ codes
    if context.recipe.correct_bias:
        bias = bias + ((inputs.real @ layer.weight).mean(0) / steps - (inputs.units @ codes).mean(0))
    if _may_share(context, source) and not shared:
        context.rounded[_key(context, layer)] = Rounded(source.scale, f"{layer.name}.weight", codes, steps)
    return RealLinear(codes, steps, bias, shared.name if shared else ""), branch


def _shared(context: Context, layer: LinearLayer, source: InputCodes) -> Rounded | None:
    """Return what a layer before has made of the same float weights, if the scales of both inputs are proportional."""
    made = context.rounded.get(_key(context, layer)) if _may_share(context, source) else None
    if made is None:
        return None
    ratio = source.scale / made.scale
    return replace(made, steps=made.steps * ratio[0]) if np.allclose(ratio, ratio[0], rtol=1e-12, atol=0) else None


def _may_share(context: Context, source: InputCodes) -> bool:
    """Whether a budget gave an input 16 bits: then its scales follow the weights, but for one factor."""
    plain = not source.residuals.size and not context.recipe.low_rank
    return context.recipe.widens and source.codes not in U8.interval and plain


def _key(context: Context, layer: LinearLayer) -> tuple[int, bytes]:
    """Return what `Context.rounded` knows a layer's weights by."""
    return context.weight_bits(layer), hashlib.sha256(layer.weight.tobytes()).digest()


def _inputs(context: Context, layer: LinearLayer, source: InputCodes) -> LayerInputs:
    real = context.layer_rows.of(layer)
    units = source.units(real)
    weights, share = np.ones(len(real)), context.recipe.easy_share
    if share < 1:
        plain, steps = round_weights(source.folded(layer.weight), context.weight_bits(layer))
        losses = ((units @ plain * steps - real @ layer.weight) ** 2).sum(1)
        weights = row_weights(losses, context.layer_rows.images_of(layer), share)
    sensitivity = context.sensitivity(layer)
    if sensitivity:
        weights = weights * sensitivity.even_rows
    centre = units.mean(0) if context.recipe.correct_bias else np.zeros(units.shape[1])
    return LayerInputs(real, units, weights, centre, sensitivity.damped_channels if sensitivity else None)


def _rounded(context: Context, layer: LinearLayer, weight: Array, inputs: LayerInputs) -> tuple[Array, Array]:
    """Return weights as codes and scales, rounded as the recipe says."""
    bits, compensate = context.weight_bits(layer), context.recipe.compensate_weights
    return rounded_weights(weight, inputs.weighted(), bits, compensate, inputs.outputs)


def _rank(context: Context, layer: LinearLayer, inputs: LayerInputs, weight: Array, rounded: Array) -> int:
    """Return the rank of the side branch that pays best beside a layer's rounded weights, or 0 if none pays.

    It is judged on the first half of the rows, by a correction made from the others.
    """
    half, per_rank = (len(inputs.real) + 1) // 2, sum(weight.shape) / weight.size
    ranks = [rank for rank in context.recipe.low_rank if rank * per_rank <= context.recipe.branch_share]
    if not ranks or layer.kernel or context.makes_output(layer):
        return 0
    correction = low_rank(weight - rounded, inputs.weighted()[half:], max(ranks), inputs.outputs)
    wanted, units = inputs.real[:half] @ layer.weight, inputs.units[:half]
    return choose_rank(correction, ranks, units - inputs.centre, wanted, wanted - units @ rounded, inputs.outputs)


def reader_of(context: Context, layer: LinearLayer) -> tuple[Site, Use]:
    """Return the site that a layer reads and the use by which it does."""
    for site in context.sites.values():
        for use in site.uses:
            if use.kind == UseKind.LINEAR and use.value == layer.input and use.node and use.node.name == layer.name:
                return site, use
    raise KeyError(layer.input)
