"""Scales of 16 bits: they cover what was seen, and leave the weights behind them evener."""

from types import SimpleNamespace

import numpy as np
import pytest

from intvit.numerics import S16, S32
from intvit.quantize.choose import wide_codes, wide_limit
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.ranges import HEADROOM
from intvit.quantize.recipe import RECIPES
from intvit.quantize.sites import Site
from intvit.quantize.uses import Use, UseKind
from intvit.quantize.weights import round_weights

CHANNELS, TOKENS = 384, 5


def place(seed, spread):
    """A site that one layer reads; its channels, and their weights, differ in size."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(CHANNELS, 40)) * np.exp(spread * rng.normal(size=(CHANNELS, 1)))
    layer = LinearLayer("fc", "x", weight, np.zeros(40), "y", frozenset({"fc"}))
    elements = np.arange(TOKENS * CHANNELS).reshape(1, TOKENS, CHANNELS)
    use = Use(UseKind.LINEAR, SimpleNamespace(name="fc"), 0, "x", elements)
    site = Site("x", UseKind.LINEAR, (use,), (1, TOKENS, CHANNELS), 0, (2,), "x")
    context = SimpleNamespace(
        layers={"fc": layer},
        recipe=RECIPES["default"],
        is_wide=lambda value: True,
        weight_bits=lambda layer: 8,
        statistics={},
    )
    samples = rng.normal(size=(500, CHANNELS)) * np.exp(spread * rng.normal(size=CHANNELS))
    statistics = SimpleNamespace(low=samples.min(0), high=samples.max(0))
    context.statistics["x"] = statistics
    return context, site, statistics, layer


@pytest.mark.parametrize("seed", range(5))
def test_codes_cover_the_range_with_headroom_and_the_accumulator_holds_them(seed):
    context, site, statistics, layer = place(seed, 1.0)
    limit = wide_limit(context, site)
    scale, zero_point = wide_codes(context, site, limit)
    reach = np.maximum(-statistics.low, statistics.high) * HEADROOM / scale
    assert reach.max() == pytest.approx(limit)
    assert not zero_point.any()
    assert 1 << 10 < limit <= S16.high
    codes, _ = round_weights(layer.weight * scale[:, None])
    assert np.abs(codes).sum(0).max() * limit < S32.high / 2


def weight_error(scale, layer, samples):
    codes, steps = round_weights(layer.weight * scale[:, None])
    return ((samples @ (codes * steps / scale[:, None] - layer.weight)) ** 2).sum()


@pytest.mark.parametrize("seed", range(5))
def test_weights_lose_less_than_with_one_scale(seed):
    context, site, _, layer = place(seed, 1.0)
    samples = np.random.default_rng(seed).normal(size=(500, CHANNELS))
    scale, _ = wide_codes(context, site, wide_limit(context, site))
    assert weight_error(scale, layer, samples) < 0.9 * weight_error(np.ones(CHANNELS), layer, samples)


def test_finer_weights_leave_room_in_the_sums():
    context, site, _, layer = place(0, 1.0)
    narrow = wide_limit(context, site)
    context.weight_bits = lambda layer: 10
    limit = wide_limit(context, site)
    scale, _ = wide_codes(context, site, limit)
    codes, _ = round_weights(layer.weight * scale[:, None], 10)
    assert 1 << 11 < limit < narrow
    assert np.abs(codes).sum(0).max() * limit <= S32.high / 2


def test_channels_without_weights_are_harmless():
    context, site, _, layer = place(0, 0.0)
    layer.weight[3] = 0
    scale, _ = wide_codes(context, site, wide_limit(context, site))
    assert np.isfinite(scale).all()
    assert (scale > 0).all()
