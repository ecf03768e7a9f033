"""Codes of queries, keys and values: 8 bits over their ranges, and of 16 as many as all sums leave room for."""

from pathlib import Path

import numpy as np
import pytest
from helpers.contexts import calibrated

from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.numerics import S8, S16, S32, Interval
from intvit.ops.softmax_polynomial_wide import WIDE_VALUES
from intvit.quantize.api import normalizer
from intvit.quantize.bits import Bits
from intvit.quantize.matmul_operand import can_be_wide_operand, choose_matmul_operand, operand_codes
from intvit.quantize.ranges import HEADROOM
from intvit.quantize.recipe import RECIPES, Recipe
from intvit.quantize.uses import UseKind

EXPORTS = Path(__file__).parent.parent / "data" / "exports"
IMAGES = list(np.random.default_rng(7).integers(0, 256, (6, 16, 16, 3), np.uint8))
NORMALIZE = normalizer(Preprocess.preset("imagenet", 16, 16))


@pytest.fixture(params=["timm_torchscript17.onnx", "hf_torchscript17.onnx"])
def context(request):
    return calibrated(import_onnx(EXPORTS / request.param), IMAGES, NORMALIZE, Recipe("tried"))


def operands(context):
    return [site for site in context.sites.values() if site.kind == UseKind.MATMUL]


def softmaxes(context):
    return [node.output for node in context.graph.nodes if node.op == "Softmax"]


def widen(context, softmax):
    """Give all operands 16 bits, and softmax its 14 if it is to have them."""
    names = [site.value for site in operands(context)]
    names += softmaxes(context) if softmax else []
    context.bits = Bits(dict.fromkeys(names, 16))


def choices(context):
    return [choose_matmul_operand(context, site, context.statistics[site.value]) for site in operands(context)]


def test_operands_have_8_bits_unless_they_were_given_16(context):
    assert {operand_codes(context, site) for site in operands(context)} == {S8.interval}
    assert all(can_be_wide_operand(context, site) for site in operands(context))
    context.recipe = RECIPES["i-vit"]
    assert not any(can_be_wide_operand(context, site) for site in operands(context))


@pytest.mark.parametrize("softmax", [False, True])
def test_sums_of_extreme_codes_fit_32_bits(context, softmax):
    widen(context, softmax)
    for site in operands(context):
        codes = operand_codes(context, site)
        assert Interval(-(1 << 9), 1 << 9) in codes and codes in S16.interval
        for use in site.uses:
            depth = context.graph.shapes[use.node.inputs[0]][-1]
            if use.node.inputs[0] in softmaxes(context):
                assert depth * (WIDE_VALUES.high if softmax else 255) * codes.high in S32.interval
            else:
                assert 2 * depth * codes.high**2 in S32.interval, "differences of scores must fit, too"


def test_wide_codes_are_finer_and_reach_further(context):
    narrow = choices(context)
    widen(context, softmax=True)
    for site, before, after in zip(operands(context), narrow, choices(context), strict=True):
        codes, finer = operand_codes(context, site), before.scale / after.scale
        np.testing.assert_allclose(finer * HEADROOM / context.recipe.query_key, codes.high / S8.high)
        assert finer.min() > 4
        assert after.error < 2 * before.error / finer.min() ** 2
