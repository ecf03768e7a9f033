"""Choosing a site's scales by the error that they cause in the layers that read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S8, U8
from intvit.quantize.lower.context import Context
from intvit.quantize.ranges import asymmetric, decode, encode, symmetric
from intvit.quantize.sites import Site
from intvit.quantize.uses import UseKind
from intvit.quantize.weights import round_weights

Array = NDArray[Any]
SEARCH_ROWS = 512


@dataclass(frozen=True)
class Choice:
    """A site's per-channel scales and zero points, float64 [channels], and the relative output error they measured."""

    scale: Array
    zero_point: Array
    error: float


def choose_linear_input(context: Context, site: Site, one_zero_point: bool) -> Choice:
    """Return the u8 encoding with the smallest squared error of the outputs of all linear layers that read the site.

    Args:
        context: the lowering's state.
        site: a site whose uses are all linear layers.
        one_zero_point: whether the operator that makes the site has only one zero point for all channels.
    """
    statistics = context.statistics[site.value]
    samples = statistics.samples[:: max(1, len(statistics.samples) // SEARCH_ROWS)].astype(np.float64)
    readers = [(site_rows(site, use, samples), weight) for use, weight in _readers(context, site)]
    targets = [x @ weight for x, weight in readers]
    energy = sum(float((t * t).sum()) for t in targets) + 1e-30
    best: Choice | None = None
    for scale, zero_point in _candidates(context, site, one_zero_point):
        codes = encode(samples, scale, zero_point, U8)
        error = 0.0
        for (use, weight), target in zip(_readers(context, site), targets, strict=True):
            channel = site.arriving(use).reshape(-1, weight.shape[0])[0]
            folded, s, z = weight * scale[channel][:, None], scale[channel], zero_point[channel]
            rounded, steps = round_weights(folded)
            real = decode(codes[:, channel], s, z) / s
            error += float(((real @ rounded * steps - target) ** 2).sum())
        if best is None or error / energy < best.error:
            best = Choice(scale, zero_point, error / energy)
    assert best is not None
    return best


def _candidates(context: Context, site: Site, one_zero_point: bool) -> Iterator[tuple[Array, Array]]:
    statistics, recipe = context.statistics[site.value], context.recipe
    free = len(np.unique(site.ties)) == site.channels
    strengths, margin = (recipe.gelu_strengths, recipe.gelu_margin) if one_zero_point else (recipe.strengths, recipe.margin)
    for strength in strengths if free else (0.0,):
        for clip in (margin,):
            scale, zero_point = asymmetric(statistics.low, statistics.high, U8, strength, clip)
            if one_zero_point and strength > 0:
                zero_point = np.full_like(zero_point, _common_zero(statistics.low, statistics.high, scale))
            yield scale, zero_point


def _common_zero(low: Array, high: Array, scale: Array) -> float:
    """Return the zero point that puts as much of all channels' ranges as possible inside u8."""
    below, above = float((-low / scale).max()), float((high / scale).max())
    excess = max(0.0, below + above - U8.high)
    return float(np.clip(np.floor(below - excess / 2 + 0.5), U8.low, U8.high)) if above + below > U8.high else float(
        np.clip(np.ceil(below), U8.low, U8.high)
    )


def _readers(context: Context, site: Site) -> list[tuple[Any, Array]]:
    return [
        (use, context.layers[use.node.name].weight)
        for use in site.uses
        if use.kind == UseKind.LINEAR and use.node is not None
    ]


def site_rows(site: Site, use: Any, samples: Array) -> Array:
    """Return sample rows of a site as they arrive at a linear layer, [rows, K]."""
    arriving = site.arriving(use)
    return samples[:, arriving.reshape(-1, arriving.shape[-1])[0]]


def choose_matmul_operand(context: Context, site: Site, free_zero: Array) -> Choice:
    """Return the s8 encoding of a matrix product's operands with the smallest squared error of their own.

    Args:
        context: the lowering's state.
        site: a site whose uses are products of activations.
        free_zero: for every channel, whether its zero point costs nothing because softmax or the following bias removes it.
    """
    statistics = context.statistics[site.value]
    samples = statistics.samples[:: max(1, len(statistics.samples) // SEARCH_ROWS)].astype(np.float64)
    centre = np.where(free_zero, (statistics.low + statistics.high) / 2, 0.0)
    magnitude = np.maximum(np.abs(statistics.high - centre), np.abs(statistics.low - centre))
    groups = site.ties
    best_error = np.full(int(groups.max()) + 1, np.inf)
    best_scale = np.ones(site.channels)
    best_zero = np.zeros(site.channels)
    for clip in context.recipe.clips:
        scale = symmetric(magnitude, groups, S8, clip)
        zero_point = np.floor(0.5 - centre / scale) * free_zero
        codes = encode(samples, scale, zero_point, S8)
        column = ((decode(codes, scale, zero_point) - samples) ** 2).sum(0)
        error = np.bincount(groups, column)
        better = (error < best_error)[groups]
        best_scale, best_zero = np.where(better, scale, best_scale), np.where(better, zero_point, best_zero)
        best_error = np.minimum(best_error, error)
    energy = float(((samples - samples.mean(0)) ** 2).sum()) + 1e-30
    return Choice(best_scale, best_zero, float(best_error.sum()) / energy)
