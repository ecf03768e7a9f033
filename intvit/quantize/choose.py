"""Choosing the codes of a site from its statistics and the recipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S16, S32, Interval
from intvit.quantize.calibrate import Statistics
from intvit.quantize.clip import best_shares
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.ranges import (
    HEADROOM,
    asymmetric,
    decode,
    encode,
    from_common_low,
    unsigned_codes,
)
from intvit.quantize.recipe import Spread
from intvit.quantize.sites import Site
from intvit.quantize.uses import UseKind
from intvit.quantize.weights import round_weights

if TYPE_CHECKING:
    from intvit.quantize.lower.context import Context

Array = NDArray[Any]
JUDGED_ROWS = 1024
"""How many rows candidates are judged by."""
CERTAIN_ROWS = 4
"""How many rows calibration must see for each channel."""
ACCUMULATOR_SHARE = 0.5
"""The share of a 32-bit accumulator that 16-bit inputs may fill; the rest is for the bias and for rounding of the weights."""


@dataclass(frozen=True)
class Choice:
    """A site's per-channel scales and zero points, float64 [channels], and the relative squared error on the samples."""

    scale: Array
    zero_point: Array
    error: float


def choose_linear_input(context: Context, site: Site, statistics: Statistics, gelu: Spread | None, per_channel: bool) -> Choice:
    """Return the unsigned codes of a site that linear layers read.

    Args:
        context: the lowering's state.
        site: the site.
        statistics: what calibration saw of it.
        gelu: for the output of GELU, which has one zero point for all channels, the selected spread.
        per_channel: whether channels may differ at all.
    """
    codes, recipe = unsigned_codes(context.act_bits(site)), context.recipe
    if gelu is not None:
        return measured(statistics, *gelu_encoding(statistics, gelu, codes), codes)
    candidates = (recipe.few_rows,) if _saw_few_rows(site, statistics) else (recipe.norm, *recipe.norm_candidates)
    if not per_channel or len(np.unique(site.ties)) < site.channels:
        candidates = (replace(candidates[0], strength=0.0),)
    encode_with = _clipped if context.clips(site) else _covering
    encodings = [encode_with(statistics, spread, codes) for spread in candidates]
    best = encodings[0]
    if len(encodings) > 1:
        best = min(encodings, key=lambda encoding: output_error(context, site, encoding, codes))
    return measured(statistics, *best, codes)


def gelu_encoding(
    statistics: Statistics, spread: Spread, codes: Interval, without: Sequence[int] | Array = ()
) -> tuple[Array, Array]:
    """Return the scales and the one zero point of a GELU's output, float64 [channels].

    Args:
        statistics: what calibration saw of it.
        spread: how the scales follow the ranges. GELU has a least value, so only its largest are uncertain.
        codes: from 0 on.
        without: the numbers of calibration images that don't count.
    """
    low, _ = statistics.ranges(without=without)
    _, high = statistics.ranges(spread.deviations, without)
    return from_common_low(low, high, spread, codes)


def _saw_few_rows(site: Site, statistics: Statistics) -> bool:
    """Whether calibration saw so few rows of a site that what it says of single channels is uncertain."""
    return len(site.rows) * len(statistics.image_low) < CERTAIN_ROWS * site.channels


def _covering(statistics: Statistics, spread: Spread, codes: Interval) -> tuple[Array, Array]:
    """Return scales and zero points that cover the calibrated ranges, with a margin."""
    return asymmetric(*statistics.ranges(spread.deviations), spread, codes)


def _clipped(statistics: Statistics, spread: Spread, codes: Interval) -> tuple[Array, Array]:
    """Return scales and zero points that cut the ranges off where this lowers the squared error on the samples."""
    spread = Spread(spread.strength, 1.0)
    low, high = statistics.low, statistics.high
    groups = np.arange(len(low)) if spread.strength else np.zeros(len(low), np.int64)

    def error(share: float) -> Array:
        return squared_error(statistics, *asymmetric(low * share, high * share, spread, codes), codes)

    shares = best_shares(error, groups)
    return asymmetric(low * shares, high * shares, spread, codes)


def output_error(context: Context, site: Site, encoding: tuple[Array, Array], codes: Interval) -> float:
    """Return the squared error that quantizing a site and the weights behind it gives the outputs of its linear layers."""
    scale, zero_point = encoding
    total = 0.0
    for layer, channels in readers_of(context, site):
        rows = context.layer_rows.of(layer)[:JUDGED_ROWS]
        total += layer_error(layer, context.weight_bits(layer), rows, codes, scale[channels], zero_point[channels])
    return total


def layer_error(layer: LinearLayer, bits: int, x: Array, codes: Interval, scale: Array, zero_point: Array) -> float:
    """Return the squared error of a layer's outputs without their means, which the bias takes."""
    units = encode(x, scale, zero_point, codes) - zero_point
    weights, steps = round_weights(layer.weight * scale[:, None], bits, (units**2).sum(0))
    error = (units @ weights) * steps - x @ layer.weight
    return float(((error - error.mean(0)) ** 2).sum())


def can_be_wide(context: Context, site: Site) -> bool:
    """Whether only linear layers read a site, and could take 16 bits."""
    if any(use.kind != UseKind.LINEAR or use.node is None for use in site.uses) or len(np.unique(site.ties)) < site.channels:
        return False
    return not any(context.layers[use.node.name].kernel for use in site.uses if use.node is not None)


def wide_limit(context: Context, site: Site) -> int | None:
    """Return the largest code magnitude if a site gets 16 bits, else None.

    A site that linear layers read for at most a few rows an image (the class token before the head) costs next to nothing in 16
    bits. The results of some operators get them if the recipe says so. The limit keeps the accumulators of the readers inside
    32 bits, whatever the input.
    """
    asked = len(site.rows) <= context.recipe.wide_rows or context.is_wide(site.value)
    if not asked or not can_be_wide(context, site):
        return None
    shape = _wide_shape(context, site)
    heaviest = 1.0
    for layer, channels in readers_of(context, site):
        codes, _ = round_weights(layer.weight * shape[channels, None], context.weight_bits(layer))
        heaviest = max(heaviest, float(np.abs(codes).sum(0).max()))
    return min(S16.high, int(S32.high * ACCUMULATOR_SHARE / heaviest))


def wide_codes(context: Context, site: Site, limit: int) -> tuple[Array, Array]:
    """Return the scales and (zero) zero points, float64 [channels], of a site in 16 bits.

    So many codes leave the scales free to lessen what the rounding of the weights behind them does; see `_wide_shape`.
    """
    shape, statistics = _wide_shape(context, site), context.statistics[site.value]
    reach = np.maximum(np.maximum(-statistics.low, statistics.high), 1e-9) / shape
    return shape * (reach.max() * HEADROOM / limit), np.zeros(site.channels)


def _wide_shape(context: Context, site: Site) -> Array:
    """Return the shape, float64 [channels], that scales of 16 bits take so that weights lose least.

    The steps of the weights follow the largest of `scale * weight`, and what their rounding does to the outputs `1 / scale` of
    the inputs: half of the differences between the channels' weights goes into the scales. Deviations of the inputs are left
    out: what is left of them once weights make up for each other's rounding is much the same for all channels.
    """
    largest = np.zeros(site.channels)
    for layer, channels in readers_of(context, site):
        np.maximum.at(largest, channels, np.abs(layer.weight).max(1))
    floored: Array = np.maximum(largest, 1e-2 * largest.max() + 1e-30)
    return floored**-0.5


def readers_of(context: Context, site: Site) -> Iterator[tuple[LinearLayer, Array]]:
    """Yield the linear layers that read a site, each with the site's channel that arrives at each of its inputs."""
    for use in site.uses:
        if use.node is not None and use.kind == UseKind.LINEAR:
            yield context.layers[use.node.name], site.arriving_columns(use)


def measured(statistics: Statistics, scale: Array, zero_point: Array, codes: Interval) -> Choice:
    """Return a choice with the relative squared error that it makes on the samples."""
    signal = float((statistics.samples.astype(np.float64) ** 2).sum())
    error = float(squared_error(statistics, scale, zero_point, codes).sum())
    return Choice(scale, zero_point, error / (signal + 1e-30))


def squared_error(statistics: Statistics, scale: Array, zero_point: Array, codes: Interval) -> Array:
    """Return the squared error of each channel on the samples."""
    samples = statistics.samples.astype(np.float64)
    errors: Array = ((decode(encode(samples, scale, zero_point, codes), scale, zero_point) - samples) ** 2).sum(0)
    return errors
