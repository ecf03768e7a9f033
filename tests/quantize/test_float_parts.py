"""Parts of the float model: what they compute is what the whole computes."""

from pathlib import Path

import numpy as np

from intvit.importer import import_onnx
from intvit.quantize.calibrate import float_session, run_in_batches
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.float_parts import Walk, rest_after, share_after

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
MODEL = import_onnx(EXPORT)
GRAPH = FloatGraph(MODEL)
PROTO = MODEL.to_proto()
IMAGES = np.random.default_rng(3).normal(size=(6, 3, 16, 16)).astype(np.float32)
GELUS = [node.output for node in GRAPH.nodes if node.op == "Gelu"]
PLACES = [GRAPH.consumers[value][0][0].output for value in GELUS]


def whole(names):
    return run_in_batches(float_session(MODEL, names), {GRAPH.input: IMAGES}, names)


def test_a_walk_sees_what_the_whole_model_has():
    expected = whole([*GELUS, *PLACES])
    walk = Walk(PROTO, IMAGES, GELUS)
    assert len(GELUS) > 1
    for gelu, place in zip(GELUS, PLACES, strict=True):
        seen = walk.to(place)
        for name in (gelu, place):
            np.testing.assert_allclose(seen[name], expected[name], rtol=1e-5, atol=1e-6)
        walk.drop(gelu)
        assert gelu not in walk.to(place)


def test_the_rest_goes_on_to_the_outputs():
    expected = whole(GRAPH.outputs)
    seen = Walk(PROTO, IMAGES, []).to(PLACES[0])
    rest, crossing = rest_after(PROTO, PLACES[0])
    found = run_in_batches(rest, {name: seen[name] for name in crossing}, GRAPH.outputs)
    for name in GRAPH.outputs:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6)


def test_the_share_of_the_model_after_a_value_falls_from_one():
    outputs = [node.output for node in FloatGraph(MODEL).nodes]
    shares = [share_after(PROTO, value) for value in outputs]
    assert all(0 < share <= 1 for share in shares)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.9
    assert shares[-1] < 0.1
