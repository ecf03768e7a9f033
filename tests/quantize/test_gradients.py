"""Gradients of the float graph: those of every operator, against what small changes of its values do to the outputs."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from intvit.importer import import_onnx
from intvit.quantize.calibrate import float_session
from intvit.quantize.float_graph import FloatGraph, FloatNode
from intvit.quantize.float_parts import rest_after
from intvit.quantize.gradients import _RULES, NEAR_ZERO, gradients
from intvit.quantize.linear_layers import linear_layers
from intvit.quantize.lower import LOWERINGS

EXPORTS = sorted((Path(__file__).parent.parent / "data" / "exports").glob("*.onnx"))
SUPPORTED = [path for path in EXPORTS if not path.name.startswith("quick_gelu")]
STEP = 2e-2


def run(model, images):
    """Return all values of a model on some images, by name."""
    graph = FloatGraph(model)
    names = [node.output for node in graph.nodes]
    return graph, {graph.input: images} | dict(
        zip(names, float_session(model, names).run(names, {graph.input: images}), strict=True)
    )


@pytest.mark.parametrize("path", SUPPORTED, ids=lambda path: path.stem)
def test_gradients_tell_what_small_changes_do(path):
    model = import_onnx(path)
    size, rng = int(model.model.graph.inputs[0].shape[2]), np.random.default_rng(0)
    graph, values = run(model, rng.standard_normal((2, 3, size, size), np.float32))
    seeds = {name: rng.standard_normal(values[name].shape, np.float32) for name in graph.outputs}
    wanted = [layer.output for layer in linear_layers(graph).values()]
    found = gradients(graph, values, seeds, [graph.input, *wanted])
    assert set(found) == {graph.input, *wanted}
    for name in (graph.input, wanted[0], wanted[1], wanted[len(wanted) // 2]):
        rest, crossing = (float_session(model), [name]) if name == graph.input else rest_after(model.to_proto(), name)
        feed, gradient = {other: values[other] for other in crossing}, found[name]
        change = gradient * (STEP * np.abs(values[name]).mean() / np.abs(gradient).max())
        up, down = (
            sum((seeds[o] * y).sum(dtype=np.float64) for o, y in zip(graph.outputs, outputs, strict=True))
            for outputs in (rest.run(graph.outputs, feed | {name: values[name] + sign * change}) for sign in (1, -1))
        )
        np.testing.assert_allclose(2 * (gradient * change).sum(dtype=np.float64), up - down, rtol=0.01)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelus_slope_has_no_step_where_its_series_ends(approximate):
    x = np.linspace(-3 * NEAR_ZERO, 3 * NEAR_ZERO, 1001, dtype=np.float32)

    nodes = [
        FloatNode("add", "Add", ("input", "zero"), "x", {}),
        FloatNode("gelu", "Gelu", ("x",), "y", {"approximate": approximate}),
    ]
    graph = SimpleNamespace(constants={"zero": np.float32(0)}, nodes=nodes)
    values = {"input": x, "x": x, "y": x * (0.5 + x / np.sqrt(2 * np.pi)).astype(np.float32)}
    slope = gradients(graph, values, {"y": np.ones_like(x)}, ["x"])["x"]
    np.testing.assert_allclose(slope, 0.5 + 2 * x / np.sqrt(2 * np.pi), atol=1e-4)


def test_what_no_output_depends_on_has_no_gradient():
    graph, values = run(import_onnx(SUPPORTED[0]), np.zeros((1, 3, 16, 16), np.float32))
    first = graph.nodes[0].output
    assert gradients(graph, values, {}, [first]) == {}


def test_all_that_can_be_lowered_has_a_gradient():
    assert set(LOWERINGS) <= set(_RULES)
