"""Lowering of softmax as the papers have it: which operators, which types, and how close to the float model."""

from pathlib import Path

import numpy as np
import pytest

from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.ir import certify, check_graph
from intvit.numerics import S8, S16, S32
from intvit.ops import MatMul, Requantize, Shiftmax, SoftmaxBit, SoftmaxIBert
from intvit.quantize import Recipe, quantize
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.linear_layers import linear_layers
from intvit.quantize.lower.normalized_softmax import probability_bits
from intvit.quantize.recipe import DEFAULT_SPREAD
from intvit.quantize.sites import find_sites
from intvit.quantize.uses import UseKind
from intvit.runtime.engine import Engine

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
FAMILIES = {"shiftmax": Shiftmax, "bit": SoftmaxBit, "i-bert": SoftmaxIBert}


def images(count, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8))


@pytest.fixture(scope="module", params=FAMILIES)
def converted(request):
    recipe = Recipe(request.param, softmax=request.param, gelu_candidates=(DEFAULT_SPREAD,))
    return request.param, quantize(EXPORT, images(8, 0), recipe=recipe)


def test_scores_have_one_scale_and_probabilities_16_bits(converted):
    family, model = converted
    graph, types = model.graph, check_graph(model.graph)
    made = {node.outputs[0]: node for node in graph.nodes}
    softmaxes = [node for node in graph.nodes if isinstance(node.op, FAMILIES[family])]
    assert softmaxes
    for node in softmaxes:
        scores = made[node.inputs[0]]
        assert isinstance(scores.op, Requantize)
        assert (types[node.inputs[0]].dtype, types[scores.inputs[0]].dtype) == (S16 if family == "i-bert" else S8, S32)
        assert (scores.op.zero_point, scores.op.input_zero_point) == (0, 0)
        (product,) = (user for user in graph.nodes if node.outputs[0] in user.inputs)
        assert isinstance(product.op, MatMul)
        assert types[node.outputs[0]].dtype == S16
    assert all(certify(graph).intervals[node.outputs[0]].low == 0 for node in softmaxes)


def test_nothing_of_it_is_fused_as_deferred_attention_is(converted):
    _, model = converted
    kinds = {step.kind for stage in Engine(model.graph).plan.stages for step in stage.steps}
    assert "MatMul" in kinds
    assert not any("MatMul+" in kind for kind in kinds)


def test_logits_are_close_to_the_float_ones(converted):
    _, model = converted
    pixels = np.stack(images(4, 1))
    session = float_session(import_onnx(EXPORT))
    feed = {session.get_inputs()[0].name: normalizer(Preprocess.preset("imagenet", 16, 16))(pixels)}
    ((name, scale),) = model.info.output_scales.items()
    got = Engine(model.graph).run({"pixels": pixels})[name] * float(scale)
    (want,) = session.run([name], feed)
    assert 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum()) > 15


def test_scores_are_sites_sampled_as_softmax_reads_them_only_where_they_are_asked_for():
    graph = FloatGraph(import_onnx(EXPORT))
    layers = linear_layers(graph)
    with_scores, without = find_sites(graph, layers, scores=True), find_sites(graph, layers)
    scores = {name: site for name, site in with_scores.items() if site.kind == UseKind.SCORES}
    assert scores.keys() == with_scores.keys() - without.keys()
    assert len(scores) == sum(node.op == "Softmax" for node in graph.nodes)
    assert all(site.channels == graph.shapes[name][-1] for name, site in scores.items())


@pytest.mark.parametrize(("tokens", "bits"), [(1, 16), (197, 16), (512, 16), (513, 15), (577, 15), (1024, 15), (1025, 14)])
def test_more_tokens_get_shorter_probabilities(tokens, bits):
    assert probability_bits(tokens) == bits
    assert tokens * ((1 << (bits - 1)) - 1) * 128 < 1 << 31
