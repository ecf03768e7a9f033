"""The recipe `iptq-vit`: every node's own approximation, chosen by the metric, lowered, stored, the same bits everywhere."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from intvit.data.preprocess import Preprocess
from intvit.errors import InputFileError
from intvit.importer import import_onnx
from intvit.io import model_to_bytes
from intvit.ir import certify
from intvit.ops import (
    GeluErf,
    GeluPolynomial,
    GeluShift,
    GeluTable,
    LayerNorm,
    LayerNormNewton,
    Linear,
    Shiftmax,
    SoftmaxBit,
    SoftmaxIBert,
    SoftmaxOctave,
    SoftmaxPolynomial,
    SoftmaxTable,
)
from intvit.quantize import find_recipe, quantize
from intvit.quantize import unified_metric as metric
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.report.choices import chosen_families
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

EXPORTS = Path(__file__).parent.parent / "data" / "exports"
EXPORT = EXPORTS / "timm_torchscript17.onnx"
OPERATORS = {
    "Gelu": {
        "polynomial": GeluPolynomial,
        "table": GeluTable,
        "shift": GeluShift,
        "i-bert": GeluErf,
        "quartic": GeluErf,
        "quartic-fitted": GeluErf,
    },
    "Softmax": {
        "octave": SoftmaxOctave,
        "polynomial": SoftmaxPolynomial,
        "table": SoftmaxTable,
        "shiftmax": Shiftmax,
        "bit": SoftmaxBit,
        "i-bert": SoftmaxIBert,
    },
}


def images(count, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8))


@pytest.fixture(scope="module")
def canonical():
    return import_onnx(EXPORT)


def assert_same_bits_everywhere(model):
    pixels = np.stack(images(5, 1))
    want = run_reference(model.graph, {"pixels": pixels})
    session = onnxruntime.InferenceSession(model_to_bytes(model), providers=["CPUExecutionProvider"])
    found = session.run(list(model.graph.outputs), {"pixels": pixels})
    compiled = Engine(model.graph).run({"pixels": pixels})
    for name, other in zip(model.graph.outputs, found, strict=True):
        np.testing.assert_array_equal(other, want[name])
        np.testing.assert_array_equal(compiled[name], want[name])
    return pixels, want


def assert_each_node_has_its_family(model):
    operators = {node.name: node.op for node in model.graph.nodes}
    choices = chosen_families(model.info.options)
    for choice in choices:
        assert isinstance(operators[choice["node"]], OPERATORS[choice["op"]][choice["family"]])
        assert choice["candidates"].keys() == metric.OPERATIONS[choice["op"]].keys()
    return choices


@pytest.mark.parametrize("weight_bits", [8, 4])
@pytest.mark.parametrize("export", ["timm_torchscript17", "hf_sdpa_dynamo18", "sequence_first_torchscript17"])
def test_exports_are_converted_to_the_same_bits_everywhere(export, weight_bits):
    model = quantize(EXPORTS / f"{export}.onnx", images(8, 0), recipe="iptq-vit", weight_bits=weight_bits)
    choices = assert_each_node_has_its_family(model)
    assert {choice["op"] for choice in choices} == {"Gelu", "Softmax"}
    assert any(isinstance(node.op, LayerNormNewton) for node in model.graph.nodes)
    assert not any(isinstance(node.op, LayerNorm) for node in model.graph.nodes)
    weights = [model.graph.constants[node.inputs[1]] for node in model.graph.nodes if isinstance(node.op, Linear)]
    assert (min(np.abs(w).max() for w in weights) < 8) == (weight_bits == 4)
    assert certify(model.graph).require() is None
    assert_same_bits_everywhere(model)


def test_the_result_is_near_the_float_model(canonical):
    model = quantize(canonical, images(8, 0), recipe="iptq-vit")
    pixels, want = assert_same_bits_everywhere(model)
    ((name, scale),) = model.info.output_scales.items()
    session = float_session(canonical)
    (exact,) = session.run([name], {session.get_inputs()[0].name: normalizer(Preprocess.preset("imagenet", 16, 16))(pixels)})
    error = exact - want[name] * float(Fraction(scale))
    assert 10 * np.log10((exact**2).sum() / (error**2).sum()) > 15


@pytest.mark.parametrize(("op", "family"), [(op, family) for op, families in OPERATORS.items() for family in families])
def test_whatever_the_metric_prefers_is_lowered(canonical, monkeypatch, op, family):
    others = dict.fromkeys(metric.OPERATIONS[op], 10000)
    monkeypatch.setattr(metric, "OPERATIONS", {**metric.OPERATIONS, op: others | {family: 1}})
    model = quantize(canonical, images(4, 0), recipe="iptq-vit")
    choices = assert_each_node_has_its_family(model)
    assert {choice["family"] for choice in choices if choice["op"] == op} == {family}
    assert_same_bits_everywhere(model)


def test_nodes_of_one_model_may_differ(canonical, monkeypatch):
    calls = iter(range(1000))

    def favourite(op, family):
        turn = next(calls) // len(metric.OPERATIONS[op])
        return 0.0 if family == list(metric.OPERATIONS[op])[turn % len(metric.OPERATIONS[op])] else 100.0

    monkeypatch.setattr(metric, "relative_cost", favourite)
    model = quantize(canonical, images(4, 0), recipe="iptq-vit")
    softmaxes = {c["family"] for c in assert_each_node_has_its_family(model) if c["op"] == "Softmax"}
    assert len(softmaxes) > 1
    assert_same_bits_everywhere(model)


def test_the_same_arguments_give_the_same_model(canonical):
    first, second = (quantize(canonical, images(4, 0), recipe="iptq-vit") for _ in range(2))
    assert model_to_bytes(first) == model_to_bytes(second)
    assert first.info.options["choices"]


def test_softmax_alone_can_be_left_to_the_metric(canonical):
    recipe = replace(find_recipe("minmax"), softmax="unified", gelu="shift")
    model = quantize(canonical, images(4, 0), recipe=recipe)
    assert {choice["op"] for choice in assert_each_node_has_its_family(model)} == {"Softmax"}
    assert any(isinstance(node.op, GeluShift) for node in model.graph.nodes)


@pytest.mark.parametrize(
    "choices", [[], {"a": 1}, {"a": {"op": "Gelu"}}, {"a": {"op": "x", "family": "y", "candidates": {"z": {}}}}]
)
def test_choices_that_no_conversion_wrote_are_refused(choices):
    with pytest.raises(InputFileError, match="choices that can't be read"):
        chosen_families({"choices": choices})
