"""Choosing the codes of what products of activations read: queries, keys and values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S16, S32, Interval
from intvit.ops.softmax_polynomial_wide import WIDE_VALUES
from intvit.quantize.calibrate import Statistics
from intvit.quantize.choose import Choice, measured, squared_error
from intvit.quantize.clip import best_shares
from intvit.quantize.lower.context import Context
from intvit.quantize.ranges import HEADROOM, signed_codes, spread_scales, tied_magnitudes
from intvit.quantize.recipe import NORMALIZED_SOFTMAXES
from intvit.quantize.sites import Site
from intvit.quantize.uses import Use, UseKind

Array = NDArray[Any]


def choose_matmul_operand(context: Context, site: Site, statistics: Statistics) -> Choice:
    """Return the signed codes, inside `operand_codes`, of a site that products of activations read.

    Channels that are added up share a scale. A zero point is used where it is free: in q k^T one of k adds the same to a whole
    row, which softmax ignores; in softmax(..) v one of v adds a constant, because a row of softmax sums to one, and the
    next bias takes it. Where scores have codes of their own and probabilities are floored, neither holds. Codes of 16 bits have
    room for margins as wide as those of other such sites.
    """
    free = free_zero_points(context, site)
    groups = site.ties
    alone = np.bincount(groups)[groups] == 1
    centre = np.where(free, (statistics.low + statistics.high) / 2, 0.0)
    magnitude = tied_magnitudes(np.maximum(statistics.high - centre, centre - statistics.low), groups)
    recipe = context.recipe
    query_key, value = recipe.query_key, recipe.value
    if _is_wide(context, site):
        query_key, value = HEADROOM, replace(value, margin=HEADROOM)
    scale = magnitude * query_key
    if alone.any():
        scale[alone] = spread_scales(magnitude[alone], value)
    codes = operand_codes(context, site)
    scale = scale / codes.high

    def encoding(share: float | Array) -> tuple[Array, Array]:
        return scale * share, np.floor(0.5 - centre / (scale * share)) * free

    share = best_shares(lambda s: squared_error(statistics, *encoding(s), codes), groups) if recipe.clip_ranges else 1.0
    return measured(statistics, *encoding(share), codes)


def can_be_wide_operand(context: Context, site: Site) -> bool:
    """Whether only products of activations read a site, and could take 16 bits."""
    return site.kind == UseKind.MATMUL and not context.recipe.normalizes


def operand_codes(context: Context, site: Site) -> Interval:
    """Return the codes of a site that products of activations read.

    Of 16 bits, so many are used that all sums of products, and differences of scores, stay inside 32 bits, whatever the codes.
    """
    if not _is_wide(context, site):
        return signed_codes(context.recipe.act_bits)
    limit = min(S16.high, *(_limit(context, use) for use in site.uses))
    return Interval(-limit, limit)


def _is_wide(context: Context, site: Site) -> bool:
    return context.bits.activations.get(site.value) == 16


def _limit(context: Context, use: Use) -> int:
    """Return the largest magnitude that both operands may have, or values where the other one is what softmax makes."""
    assert use.node is not None
    left = use.node.inputs[0]
    depth = context.graph.shapes[left][-1]
    if not any(node.op == "Softmax" and node.output == left for node in context.graph.nodes):
        return math.isqrt(S32.high // 2 // depth)
    return S32.high // (depth * (WIDE_VALUES.high if context.is_wide(left) else context.recipe.softmax_top))


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
    softmax = next((node for node in context.graph.nodes if node.output == left and node.op == "Softmax"), None)
    if softmax is not None:
        site = context.sites.get(product)
        deferred = context.family(softmax) not in NORMALIZED_SOFTMAXES
        return site is not None and site.kind == UseKind.LINEAR and deferred
    return product not in context.sites
