"""Codes of queries, keys and values: how far their ranges reach, judged by the model's outputs."""

from pathlib import Path

import numpy as np
import pytest
from helpers.contexts import differentiated

from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.quantize.api import normalizer
from intvit.quantize.matmul_operand import JUDGED_SHARES, choose_matmul_operand, free_zero_points
from intvit.quantize.ranges import decode, encode, signed_codes
from intvit.quantize.recipe import Recipe
from intvit.quantize.uses import UseKind

EXPORTS = Path(__file__).parent.parent / "data" / "exports"
IMAGES = list(np.random.default_rng(7).integers(0, 256, (12, 16, 16, 3), np.uint8))
NORMALIZE = normalizer(Preprocess.preset("imagenet", 16, 16))


@pytest.fixture(params=["timm_torchscript17.onnx", "hf_torchscript17.onnx"])
def context(request):
    return differentiated(import_onnx(EXPORTS / request.param), IMAGES, NORMALIZE, Recipe("tried", judge_operands=True))


def operands(context):
    return [site for site in context.sites.values() if site.kind == UseKind.MATMUL]


def choices(context, **changes):
    context.recipe = Recipe("tried", **changes)
    return [choose_matmul_operand(context, site, context.statistics[site.value]) for site in operands(context)]


def scales(context, **changes):
    return [choice.scale for choice in choices(context, **changes)]


def error(context, layer, choice):
    sensitivity, encoding = context.sensitivities[layer.name], (choice.scale, choice.zero_point)
    real = context.layer_rows.of(layer) @ layer.weight + layer.bias
    noise = decode(encode(real, *encoding, signed_codes(8)), *encoding) - real
    return sensitivity.even_rows @ noise**2 @ np.diag(sensitivity.channels)


def test_judged_scales_are_shares_of_the_others_and_tied_channels_keep_one(context):
    for site, plain, judged in zip(operands(context), scales(context), scales(context, judge_operands=True), strict=True):
        shares = judged / plain
        assert np.isclose(shares[:, None], JUDGED_SHARES).any(1).all()
        for group in np.unique(site.ties):
            assert len(np.unique(judged[site.ties == group])) == 1


def test_only_queries_are_cut_off(context):
    for site, plain, judged in zip(operands(context), scales(context), scales(context, judge_operands=True), strict=True):
        shares, free = judged / plain, free_zero_points(context, site)
        assert (shares[free] > 1 - 1e-9).all()
    assert any(not free_zero_points(context, site).all() for site in operands(context))


def test_judged_ranges_do_less_to_the_outputs_than_whole_ones(context):
    before, after = 0.0, 0.0
    for site, plain, judged in zip(operands(context), choices(context), choices(context, judge_operands=True), strict=True):
        layer = next(layer for layer in context.layers.values() if layer.output == site.value)
        before, after = before + error(context, layer, plain), after + error(context, layer, judged)
    assert after < 0.99 * before


def test_without_gradients_of_a_layer_before_it_the_range_is_kept(context):
    plain = scales(context)
    context.layers = {}
    for before, after in zip(plain, scales(context, judge_operands=True), strict=True):
        np.testing.assert_array_equal(before, after)
