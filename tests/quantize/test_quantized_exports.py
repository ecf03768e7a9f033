"""Every spelling that exporters give lowers to integers, close to the float model, with the same bits in every executor."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from intvit.data.preprocess import Preprocess
from intvit.errors import UnsupportedModelError
from intvit.importer import import_onnx
from intvit.io import model_to_bytes
from intvit.quantize import quantize
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.quantize.recipe import DEFAULT_SPREAD, NORMALIZED_SOFTMAXES, Recipe
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

EXPORTS = sorted((Path(__file__).parent.parent / "data" / "exports").glob("*.onnx"))
SUPPORTED = [path for path in EXPORTS if not path.name.startswith("quick_gelu")]


def images(count, size, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8))


def sqnr_db(want, got):
    return 10 * np.log10((want**2).sum() / ((want - got) ** 2).sum())


@pytest.mark.parametrize("path", SUPPORTED, ids=lambda path: path.stem)
def test_export_is_quantized_faithfully(path):
    canonical = import_onnx(path)
    size = int(canonical.model.graph.inputs[0].shape[2])
    model = quantize(canonical, images(8, size, 0))
    pixels = np.stack(images(3, size, 1))
    reference = run_reference(model.graph, {"pixels": pixels})
    engine = Engine(model.graph).run({"pixels": pixels})
    session = onnxruntime.InferenceSession(model_to_bytes(model), providers=["CPUExecutionProvider"])
    elsewhere = dict(zip(model.graph.outputs, session.run(list(model.graph.outputs), {"pixels": pixels}), strict=True))
    exact = float_session(canonical)
    feed = {exact.get_inputs()[0].name: normalizer(Preprocess.preset("imagenet", size, size))(pixels)}
    for name, want in zip(model.graph.outputs, exact.run(list(model.graph.outputs), feed), strict=True):
        np.testing.assert_array_equal(engine[name], reference[name])
        np.testing.assert_array_equal(elsewhere[name], reference[name])
        assert sqnr_db(want, reference[name] * float(model.info.output_scales[name])) > 15


def test_what_can_not_be_lowered_is_named():
    path = next(path for path in EXPORTS if path.name.startswith("quick_gelu"))
    with pytest.raises(UnsupportedModelError) as caught:
        quantize(path, images(2, 16, 0))
    assert "Sigmoid" in str(caught.value)
    assert "quick-GELU" in str(caught.value)
    assert caught.value.hint


NORMALIZED = [Recipe(softmax, softmax=softmax, gelu_candidates=(DEFAULT_SPREAD,)) for softmax in NORMALIZED_SOFTMAXES]


@pytest.mark.parametrize("recipe", ["tables", "minmax", *NORMALIZED], ids=str)
def test_other_recipes_run_everywhere_too(recipe):
    path = next(path for path in EXPORTS if path.name == "timm_torchscript17.onnx")
    model = quantize(path, images(8, 16, 0), recipe=recipe)
    pixels = np.stack(images(2, 16, 1))
    want = run_reference(model.graph, {"pixels": pixels})
    session = onnxruntime.InferenceSession(model_to_bytes(model), providers=["CPUExecutionProvider"])
    for name, other in zip(model.graph.outputs, session.run(list(model.graph.outputs), {"pixels": pixels}), strict=True):
        np.testing.assert_array_equal(other, want[name])
        np.testing.assert_array_equal(Engine(model.graph).run({"pixels": pixels})[name], want[name])
