"""Small graphs of layers, and the engine's bits beside the reference's."""

import numpy as np
from vit import walk

from intvit import ops
from intvit.ir import Graph, Node, TensorType, check_graph
from intvit.numerics import S8, S16
from intvit.runtime.engine import Engine
from intvit.runtime.rows import split_rows

RNG = np.random.default_rng(0)


def all_of(to):
    return {"to": to, "low": to.low, "high": to.high}


def linear(name, x, y, depth, channels, to=S16, shift=33):
    constants = {
        f"{name}.w": RNG.integers(-127, 128, (depth, channels)).astype(np.int8),
        f"{name}.b": RNG.integers(-999, 999, channels).astype(np.int32),
        f"{name}.m": RNG.integers(1 << 29, 1 << 30, channels).astype(np.int32),
    }
    return Node(name, ops.Linear(shift=shift, **all_of(to)), (x, *constants), (y,)), constants


def add(name, a, b, y):
    return Node(name, ops.Add(multiplier_a=1 << 29, multiplier_b=3 << 27, shift=30, **all_of(S16)), (a, b), (y,))


def part(name, x, y, start, end, axis=1):
    return Node(name, ops.Slice(axis=axis, start=start, end=end), (x,), (y,))


def graph_of(nodes, outputs, constants, inputs=None):
    inputs = inputs or {"x": TensorType(S8, (1, 7, 12), 0), "r": TensorType(S16, (1, 7, 20), 0)}
    return Graph(inputs, outputs, constants, tuple(nodes))


def random_inputs(graph, batch=2):
    return {
        name: RNG.integers(kind.dtype.low, kind.dtype.high, kind.at_batch(batch), kind.dtype.dtype, endpoint=True)
        for name, kind in graph.inputs.items()
    }


def assert_same(graph, level=None):
    """Return the kinds of the steps after the engine's result has been compared with the reference's."""
    types = check_graph(graph)
    inputs = random_inputs(graph)
    want, engine = walk(graph, inputs), Engine(graph, types, level=level)
    for name, array in engine.run(inputs).items():
        np.testing.assert_array_equal(array, want[name], name)
    split = split_rows(graph, types)
    for name in graph.outputs:
        np.testing.assert_array_equal(walk(split, inputs)[name], want[name], name)
    return [step.kind for stage in engine.plan.stages for step in stage.steps]
