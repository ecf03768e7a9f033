"""The GELUs and the LayerNorm of the papers, lowered: the same bits in every executor, and the codes the papers read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from intvit.data.preprocess import Preprocess
from intvit.errors import UsageError
from intvit.importer import import_onnx
from intvit.io import model_to_bytes
from intvit.numerics import S8, S16
from intvit.ops import GeluErf, GeluShift, LayerNorm, LayerNormNewton
from intvit.quantize import Recipe, quantize
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.quantize.recipe import Spread
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
PLAIN = Recipe("plain", gelu_candidates=(Spread(0.25, 1.0),))
FAMILIES = {
    "shift": ({"gelu": "shift"}, GeluShift, S8),
    "i-bert": ({"gelu": "i-bert"}, GeluErf, S16),
    "i-bert, 8 bits": ({"gelu": "i-bert", "gelu_input_bits": 8}, GeluErf, S8),
    "quartic": ({"gelu": "quartic"}, GeluErf, S16),
    "quartic, 8 bits": ({"gelu": "quartic", "gelu_input_bits": 8}, GeluErf, S8),
    "fitted": ({"gelu": "quartic-fitted"}, GeluErf, S16),
    "newton": ({"layer_norm": "newton"}, LayerNormNewton, S16),
}


def images(count, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8))


@pytest.fixture(scope="module")
def canonical():
    return import_onnx(EXPORT)


@pytest.fixture(scope="module")
def judged(canonical):
    """Pixels and the float model's logits."""
    pixels, session = np.stack(images(6, 1)), float_session(canonical)
    feed = {session.get_inputs()[0].name: normalizer(Preprocess.preset("imagenet", 16, 16))(pixels)}
    return pixels, session.run(None, feed)[0]


@pytest.mark.parametrize(("choices", "kind", "dtype"), FAMILIES.values(), ids=FAMILIES)
def test_a_family_runs_everywhere_and_stays_near_the_float_model(canonical, judged, choices, kind, dtype):
    model = quantize(canonical, images(8, 0), recipe=replace(PLAIN, **choices))
    nodes = [node for node in model.graph.nodes if isinstance(node.op, kind)]
    assert nodes
    assert not any(isinstance(node.op, LayerNorm) for node in model.graph.nodes) or kind is not LayerNormNewton
    made = {name: node.op.to for node in model.graph.nodes for name in node.outputs if hasattr(node.op, "to")}
    assert {made.get(node.inputs[0], dtype) for node in nodes} == {dtype}
    pixels, exact = judged
    want = run_reference(model.graph, {"pixels": pixels})
    session = onnxruntime.InferenceSession(model_to_bytes(model), providers=["CPUExecutionProvider"])
    for name, other in zip(model.graph.outputs, session.run(list(model.graph.outputs), {"pixels": pixels}), strict=True):
        np.testing.assert_array_equal(other, want[name])
        np.testing.assert_array_equal(Engine(model.graph).run({"pixels": pixels})[name], want[name])
    (name,) = model.graph.outputs
    error = exact - want[name] * float(model.info.output_scales[name])
    assert 10 * np.log10((exact**2).sum() / (error**2).sum()) > 12


@pytest.mark.parametrize("choices", [{"gelu": "shifted"}, {"layer_norm": "exactly"}, {"softmax": "softest"}])
def test_an_unknown_family_is_an_error_that_names_the_known_ones(canonical, choices):
    with pytest.raises(UsageError, match=r"shift.*quartic|newton|table.*i-bert"):
        quantize(canonical, images(2, 0), recipe=replace(PLAIN, **choices))
