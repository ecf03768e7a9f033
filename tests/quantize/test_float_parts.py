"""The rest of the float model: what it computes is what the whole computes."""

from pathlib import Path

import numpy as np
import pytest

from intvit.importer import import_onnx
from intvit.quantize.calibrate import float_session
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.float_parts import rest_after

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
MODEL = import_onnx(EXPORT)
GRAPH = FloatGraph(MODEL)
IMAGES = np.random.default_rng(3).normal(size=(6, 3, 16, 16)).astype(np.float32)


@pytest.mark.parametrize("value", [node.output for node in GRAPH.nodes if node.op == "Gelu"])
def test_the_rest_goes_on_to_the_outputs(value):
    rest, crossing = rest_after(MODEL.to_proto(), value)
    names = [*crossing, *GRAPH.outputs]
    values = {GRAPH.input: IMAGES} | dict(
        zip(names, float_session(MODEL, names).run(names, {GRAPH.input: IMAGES}), strict=True)
    )
    found = rest.run(GRAPH.outputs, {name: values[name] for name in crossing})
    for name, output in zip(GRAPH.outputs, found, strict=True):
        np.testing.assert_allclose(output, values[name], rtol=1e-5, atol=1e-6)
