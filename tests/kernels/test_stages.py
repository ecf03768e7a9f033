"""Steps side by side: which they are, and that they share no memory that one of them writes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from layers import add, assert_same, graph_of, linear, part, random_inputs
from vit import walk

from intvit.ir import TensorType
from intvit.numerics import S8, S16
from intvit.runtime.engine import Engine

INPUTS = {"x": TensorType(S8, (1, 40, 192), 0), "r": TensorType(S16, (1, 40, 136), 0)}


def layers_of_rows(few, shared=False):
    """A layer of the first rows and one of the others, each with an addition behind it."""
    nodes, constants = [], {}
    for name, start, end in (("few", 0, few), ("many", few, 40)):
        layer, more = linear(name, f"{name}.x", f"{name}.y", 192, 136)
        if shared and constants:
            layer = replace(layer, inputs=(layer.inputs[0], *constants))
        nodes += [
            part(f"{name}.slice", "x", f"{name}.x", start, end),
            part(f"{name}.rest", "r", f"{name}.r", start, end),
            layer,
            add(f"{name}.add", f"{name}.y", f"{name}.r", f"{name}.sum"),
        ]
        constants |= {} if shared and constants else more
    return graph_of(nodes, ("few.sum", "many.sum"), constants, INPUTS)


def stages(graph, **settings):
    return [[*stage.nodes] for stage in Engine(graph, **settings).plan.stages]


@pytest.mark.parametrize("shared", [False, True], ids=["own weights", "the same weights"])
@pytest.mark.parametrize("few", [1, 6])
def test_a_layer_of_few_rows_runs_beside_one_of_many(few, shared, level):
    graph = layers_of_rows(few, shared)
    assert_same(graph, level)
    if level.traits.left.itemsize == 1:  # else the codes are widened in between
        assert stages(graph, level=level) == [["many", "few"]]


def test_layers_of_many_rows_run_one_after_the_other():
    assert stages(layers_of_rows(7)) == [["few"], ["many"]]


def test_a_layer_never_runs_beside_one_that_it_needs():
    first, constants = linear("first", "x", "y", 192, 192, to=S8)
    row = part("row", "y", "y.row", 0, 1)
    second, more = linear("second", "y.row", "z", 192, 16)
    graph = graph_of([first, row, second], ("y", "z"), constants | more, {"x": INPUTS["x"]})
    assert assert_same(graph) == ["Linear", "Linear"]
    assert stages(graph) == [["first"], ["second"]]


def test_what_runs_side_by_side_shares_no_memory():
    engine = Engine(layers_of_rows(1))
    plan = engine.plan
    (stage,) = plan.stages
    spans = []
    for step in stage.steps:
        for view in (*step.outputs, *step.scratch):
            start = plan.offsets[view.buffer] + view.offset
            spans.append((start, start + np.prod(view.shape) * view.dtype.itemsize))
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


@pytest.mark.parametrize("threads", [2, 3, 5, 8])
def test_threads_share_steps_that_run_side_by_side(threads):
    graph = layers_of_rows(1)
    inputs = random_inputs(graph, 3)
    want, found = walk(graph, inputs), Engine(graph, threads=threads).run(inputs)
    for name in graph.outputs:
        np.testing.assert_array_equal(found[name], want[name])
