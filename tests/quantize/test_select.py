"""Choosing GELU's spread: judged on images that gave nothing to the ranges."""

import importlib
from pathlib import Path

import numpy as np
import pytest
from helpers.contexts import differentiated

from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.numerics import Interval
from intvit.quantize.api import normalizer
from intvit.quantize.choose import gelu_encoding
from intvit.quantize.recipe import DEFAULT_SPREAD, Recipe, Spread

select = importlib.import_module("intvit.quantize.select")
EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
IMAGES = list(np.random.default_rng(7).integers(0, 256, (12, 16, 16, 3), np.uint8))
NORMALIZE = normalizer(Preprocess.preset("imagenet", 16, 16))
MODEL = import_onnx(EXPORT)


def context(*candidates, images=IMAGES):
    return differentiated(MODEL, images, NORMALIZE, Recipe("tried", gelu_candidates=candidates))


def test_ranges_of_all_images_and_of_all_but_some():
    for statistics in context(DEFAULT_SPREAD).statistics.values():
        assert statistics.image_low.shape == statistics.image_high.shape == (len(IMAGES), len(statistics.low))
        low, high = statistics.ranges(without=[])
        np.testing.assert_array_equal(low, statistics.low)
        np.testing.assert_array_equal(high, statistics.high)
        widest = int(statistics.image_high[:, 0].argmax())
        others = np.delete(statistics.image_high[:, 0], widest)
        assert statistics.ranges(without=[widest])[1][0] == others.max()


def test_ranges_reach_some_deviations_from_the_mean_of_the_images_that_count():
    for statistics in context(DEFAULT_SPREAD).statistics.values():
        by_image = statistics.samples.reshape(len(IMAGES), -1, len(statistics.low)).astype(np.float64)
        for without in ([], [2, 5]):
            plain_low, plain_high = statistics.ranges(without=without)
            low, high = statistics.ranges(3.0, without)
            kept = np.delete(by_image, without, 0).reshape(-1, len(low))
            np.testing.assert_allclose(high, np.maximum(plain_high, kept.mean(0) + 3 * kept.std(0)), atol=1e-9)
            np.testing.assert_allclose(low, np.minimum(plain_low, kept.mean(0) - 3 * kept.std(0)), atol=1e-9)


def test_a_gelus_least_value_is_never_lowered():
    found = context(DEFAULT_SPREAD)
    gelus = [node.output for node in found.graph.nodes if node.op == "Gelu" and node.output in found.statistics]
    for statistics in map(found.statistics.__getitem__, gelus):
        plain, reaching = (gelu_encoding(statistics, Spread(0.0, 1.0, d), Interval(0, 255)) for d in (0.0, 30.0))
        low = min(statistics.low.min(), 0)
        for scale, zero_point in (plain, reaching):
            assert (-zero_point * scale <= low + 0.51 * scale).all()
        assert reaching[0][0] > plain[0][0]
        assert reaching[1][0] <= plain[1][0]


@pytest.mark.parametrize("order", [1, -1])
def test_a_spread_that_cuts_everything_off_is_never_chosen(order):
    sane, absurd = Spread(0.0, 1.0), Spread(0.0, 0.01)
    chosen = select.select_spreads(context(*(sane, absurd)[::order]))
    assert chosen
    assert set(chosen.values()) == {sane}


def test_one_candidate_and_few_images_are_not_judged():
    only = Spread(0.5, 1.0)
    assert set(select.select_spreads(context(only)).values()) == {only}
    few = IMAGES[: select.MIN_IMAGES - 1]
    two = context(only, Spread(0.0, 1.0), images=few)
    assert set(select.select_spreads(two).values()) == {DEFAULT_SPREAD}
