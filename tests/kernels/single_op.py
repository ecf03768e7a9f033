"""One operator through the engine, compared with its reference."""

import numpy as np

from intvit.ir import Graph, Node, Operand, TensorType, check_graph
from intvit.numerics import Interval, IntType
from intvit.runtime.engine import Engine

ALL_TYPES = (np.uint8, np.int8, np.int16, np.int32)


def full_range(to, **more):
    kind = IntType.of(np.dtype(to))
    return {"to": kind, "low": kind.low, "high": kind.high, **more}


def random_codes(rng, shape, dtype, low=None, high=None):
    info = np.iinfo(dtype)
    low, high = info.min if low is None else low, info.max if high is None else high
    mode = rng.integers(4)
    if mode < 2:
        return rng.integers(low, high, shape, dtype, endpoint=True)
    if mode == 2:
        return rng.choice(np.array([low, high], dtype), shape)
    return np.full(shape, rng.choice([low, high]), dtype)


def operand(array, constant):
    kind = TensorType(IntType.of(array.dtype), array.shape)
    return Operand(kind, Interval(int(array.min()), int(array.max())), array if constant else None)


def claims_hold(op, activations, constants):
    known = [operand(a, False) for a in activations] + [operand(c, True) for c in constants]
    return all(claim.holds for claim in op.bounds(known)[1])


def assert_equals_reference(op, activations, constants=(), level=None, threads=1):
    """Run `op` and compare all bits; the inputs must respect the operator's claims, which are checked."""
    assert claims_hold(op, activations, constants)
    names = [f"x{i}" for i in range(len(activations) + len(constants))]
    inputs = dict(zip(names, activations, strict=False))
    fixed = dict(zip(names[len(activations) :], constants, strict=True))
    types = {name: TensorType(IntType.of(a.dtype), a.shape) for name, a in inputs.items()}
    graph = Graph(types, op.output_names, fixed, (Node("n", op, tuple(names), op.output_names),))
    got = Engine(graph, check_graph(graph), level=level, threads=threads).run(inputs)
    for name, want in zip(op.output_names, op.reference(*activations, *constants), strict=True):
        assert got[name].dtype == want.dtype
        np.testing.assert_array_equal(got[name], want)
