"""Focused codes after softmax: what the search finds, and that the integer operator does what it judged."""

from pathlib import Path

import numpy as np
import pytest

from intvit import ops
from intvit.quantize import quantize
from intvit.quantize.focused import Focus, focuses
from intvit.quantize.lower.deferred_softmax import TABLE_STEPS, focused_table
from intvit.quantize.softmax_search import product_errors

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
BITS = [3, 4, 6, 8]


@pytest.mark.parametrize("bits", BITS)
def test_candidates_are_uniform_and_fit_u8(bits):
    found = list(focuses(bits))
    assert len(found) == len(set(found)) > 5
    for focus in found:
        values = np.unique(focus.values(np.linspace(0, 1, 5000)))
        assert values[0] == focus.low
        assert values[-1] == focus.top <= 255
        assert np.unique(np.diff(values)).tolist() == [focus.step]
        assert len(values) == 1 << bits
        assert focus.values(np.array([focus.end])) == focus.top
    assert (bits < 8) == any(focus.low for focus in found)


@pytest.mark.parametrize("bits", BITS)
def test_the_search_finds_the_interval_on_which_probabilities_lie(bits):
    rng = np.random.default_rng(bits)
    candidates = list(focuses(bits))
    v = rng.normal(size=(2, 40, 16))
    for planted in (focus for focus in candidates if focus.end == 1.0):
        e = planted.low + planted.step * rng.integers(0, 1 << bits, (2, 30, 40))
        e[..., 0] = planted.top
        errors = product_errors(e / e.sum(-1, keepdims=True), v, candidates, Focus.values)
        assert candidates[int(errors.argmin())] == planted
        assert errors.min() < 1e-18 < np.sort(errors)[1]


@pytest.mark.parametrize("bits", BITS)
def test_the_table_is_what_was_judged(bits):
    for focus in focuses(bits):
        table = focused_table(focus)
        np.testing.assert_array_equal(table, focus.values(np.exp(-np.arange(len(table)) / TABLE_STEPS)))
        assert table[0] == focus.top
        assert table[-1] == focus.low
        assert table[-2] > focus.low


@pytest.mark.parametrize("bits", [3, 4])
def test_a_model_s_softmaxes_have_so_many_codes(bits):
    images = list(np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8))
    graph = quantize(EXPORT, images, recipe="aiqvit", act_bits=bits).graph
    softmaxes = [node for node in graph.nodes if isinstance(node.op, ops.SoftmaxTable)]
    assert len(softmaxes) == sum(isinstance(node.op, ops.SoftmaxDivide) for node in graph.nodes) > 0
    for node in softmaxes:
        worth = np.unique(graph.constants[node.inputs[2]])
        assert len(worth) == 1 << bits
        assert len(np.unique(np.diff(worth))) == 1
