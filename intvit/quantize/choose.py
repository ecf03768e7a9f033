"""Choosing the 8-bit codes of a site from its statistics and the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S8, S16, S32, U8, IntType
from intvit.quantize.calibrate import Statistics
from intvit.quantize.ranges import HEADROOM, asymmetric, decode, encode, from_common_low, spread_scales, tied_magnitudes
from intvit.quantize.recipe import Recipe, Spread
from intvit.quantize.sites import Site
from intvit.quantize.uses import Use, UseKind
from intvit.quantize.weights import round_weights

if TYPE_CHECKING:
    from intvit.quantize.lower.context import Context

Array = NDArray[Any]
ACCUMULATOR_SHARE = 0.25
"""The share of a 32-bit accumulator that 16-bit inputs may fill; the rest is for the bias and for rounding of the weights."""


@dataclass(frozen=True)
class Choice:
    """A site's per-channel scales and zero points, float64 [channels], and the relative squared error on the samples."""

    scale: Array
    zero_point: Array
    error: float


def choose_linear_input(recipe: Recipe, site: Site, statistics: Statistics, gelu: Spread | None, per_channel: bool) -> Choice:
    """Return the u8 codes of a site that linear layers read.

    Args:
        recipe: the choices to follow.
        site: the site.
        statistics: what calibration saw of it.
        gelu: for the output of GELU, which has one zero point for all channels, the selected spread.
        per_channel: whether channels may differ at all.
    """
    low, high = statistics.low, statistics.high
    if gelu is not None:
        scale, zero_point = from_common_low(low, high, gelu)
    else:
        few = len(statistics.samples) < 4 * site.channels
        spread = recipe.few_rows if few else recipe.norm
        if not per_channel or len(np.unique(site.ties)) < site.channels:
            spread = Spread(0.0, spread.margin)
        scale, zero_point = asymmetric(low, high, spread)
    return _measured(statistics, scale, zero_point, U8)


def wide_limit(context: Context, site: Site) -> int | None:
    """Return the largest code magnitude if a site gets 16 bits, else None.

    A site that linear layers read for at most a few rows an image (the class token before the head) costs next to nothing in 16
    bits. The limit keeps the accumulators of its readers inside 32 bits, whatever the input.
    """
    if len(site.rows) > context.recipe.wide_rows or any(use.kind != UseKind.LINEAR for use in site.uses):
        return None
    layers = [context.layers[use.node.name] for use in site.uses if use.node is not None]
    if len(np.unique(site.ties)) < site.channels or any(layer.kernel for layer in layers):
        return None
    heaviest = max(float(np.abs(round_weights(layer.weight)[0]).sum(0).max()) for layer in layers)
    return min(S16.high, int(S32.high * ACCUMULATOR_SHARE / max(heaviest, 1.0)))


def wide_codes(site: Site, statistics: Statistics, limit: int) -> tuple[Array, Array]:
    """Return the scales and (zero) zero points, float64 [channels], of a site in 16 bits."""
    top = max(float(np.abs([statistics.low, statistics.high]).max()), 1e-9)
    return np.full(site.channels, top * HEADROOM / limit), np.zeros(site.channels)


def choose_matmul_operand(context: Context, site: Site, statistics: Statistics) -> Choice:
    """Return the s8 codes of a site that products of activations read.

    Channels that are added up share a scale. A zero point is used where it is free: in q k^T one of k adds the same to a whole
    row, which softmax ignores; in softmax(..) v one of v adds a constant, because a row of softmax sums to one, and the
    next bias takes it. Where scores have codes of their own and probabilities are floored, neither holds.
    """
    free = free_zero_points(context, site)
    groups = site.ties
    alone = np.bincount(groups)[groups] == 1
    centre = np.where(free, (statistics.low + statistics.high) / 2, 0.0)
    magnitude = tied_magnitudes(np.maximum(statistics.high - centre, centre - statistics.low), groups)
    recipe = context.recipe
    scale = magnitude * recipe.query_key
    if alone.any():
        scale[alone] = spread_scales(magnitude[alone], recipe.value)
    scale = scale / S8.high
    return _measured(statistics, scale, np.floor(0.5 - centre / scale) * free, S8)


def free_zero_points(context: Context, site: Site) -> Array:
    """Return, for every channel, whether a zero point costs nothing."""
    free = np.ones(site.channels, bool)
    for use in site.uses:
        if not _absorbs_zero_point(context, use):
            free[np.unique(site.arriving(use))] = False
    return free


def _absorbs_zero_point(context: Context, use: Use) -> bool:
    if use.kind != UseKind.MATMUL or use.node is None or use.index != 1:
        return False
    left, product = use.node.inputs[0], use.node.output
    if any(node.output == left and node.op == "Softmax" for node in context.graph.nodes):
        site = context.sites.get(product)
        return site is not None and site.kind == UseKind.LINEAR and not context.recipe.normalizes
    return product not in context.sites


def _measured(statistics: Statistics, scale: Array, zero_point: Array, dtype: IntType) -> Choice:
    samples = statistics.samples.astype(np.float64)
    error = decode(encode(samples, scale, zero_point, dtype), scale, zero_point) - samples
    return Choice(scale, zero_point, float((error**2).sum()) / (float((samples**2).sum()) + 1e-30))


def site_rows(site: Site, use: Use, rows: Array) -> Array:
    """Return rows of a site, [rows, channels], as they arrive at a linear layer, [rows, K]."""
    arriving = site.arriving(use)
    return rows[:, arriving.reshape(-1, arriving.shape[-1])[0]]
