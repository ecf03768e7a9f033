"""Linear and MatMul: every tail of rows, columns and depth, every SIMD level, all types, strided views."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from single_op import ALL_TYPES, assert_equals_reference, full_range, random_codes

from intvit import ops
from intvit.ir import Graph, Node, TensorType
from intvit.kernels.simd import supported_levels
from intvit.numerics import IntType
from intvit.runtime.engine import Engine

SIZES = st.one_of(st.integers(1, 70), st.sampled_from([127, 128, 129, 197]))
INPUTS = st.sampled_from([np.uint8, np.int8, np.uint16, np.int16])
LEFT = st.sampled_from([np.uint8, np.int8, np.int16])
LEVELS = st.sampled_from(supported_levels())


def check_linear(seed, rows, depth, channels, kind, to, shift, level, threads=1):
    rng = np.random.default_rng(seed)
    x, weight = random_codes(rng, (rows, depth), kind), random_codes(rng, (depth, channels), np.int8)
    bias = random_codes(rng, channels, np.int32, -(1 << 20), 1 << 20)
    multiplier = random_codes(rng, channels, np.int32, 0)
    op = ops.Linear(shift=shift, **full_range(to, zero_point=int(rng.integers(-9, 9))))
    assert_equals_reference(op, [x], [weight, bias, multiplier], level, threads)


@given(st.integers(0, 99), SIZES, SIZES, SIZES, INPUTS, st.sampled_from(ALL_TYPES),
       st.sampled_from([2, 20, 31, 32, 33, 34, 40, 47, 62]), LEVELS)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_linear(seed, rows, depth, channels, kind, to, shift, level):
    check_linear(seed, rows, depth, channels, kind, to, shift, level)


@pytest.mark.parametrize("rows", range(1, 14))
@pytest.mark.parametrize("depth", [1, 3, 4, 197])
@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_linear_tails(rows, depth, kind, level):
    for channels in (1, 15, 16, 17, 63, 64, 65, 80):
        check_linear(rows, rows, depth, channels, kind, np.int8, 44, level)


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("to", ALL_TYPES)
def test_linear_of_16_bit_inputs_by_threads(rows, to, level):
    for threads, kind, shift in ((2, np.int16, 44), (5, np.uint16, 44), (3, np.int16, 32)):
        check_linear(rows, rows, 97, 65, kind, to, shift, level, threads)


def test_linear_clips_inside_the_type(level):
    rng = np.random.default_rng(0)
    x, weight = random_codes(rng, (7, 20), np.uint8), rng.integers(-128, 128, (20, 66)).astype(np.int8)
    op = ops.Linear(shift=40, to=IntType(8, False), zero_point=200, low=10, high=220)
    assert_equals_reference(op, [x], [weight, np.zeros(66, np.int32), np.full(66, 1 << 30, np.int32)], level)


@given(st.integers(0, 99), st.integers(1, 3), SIZES, SIZES, SIZES, LEFT, LEVELS)
@settings(max_examples=100, deadline=None)
def test_matmul(seed, heads, rows, depth, columns, kind, level):
    rng = np.random.default_rng(seed)
    a, b = random_codes(rng, (1, heads, rows, depth), kind), random_codes(rng, (1, heads, depth, columns), np.int8)
    assert_equals_reference(ops.MatMul(), [a, b], level=level)


@pytest.mark.parametrize("perm", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0), (2, 0, 1)])
@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_matmul_of_views(perm, side, kind, level):
    """A transposed operand is read where it lies, or copied, with equal results."""
    rng = np.random.default_rng(1)
    shapes = {"a": (3, 10, 21), "b": (3, 21, 18)}
    arrays = {k: random_codes(rng, s, kind if k == "a" else np.int8) for k, s in shapes.items()}
    source = np.ascontiguousarray(arrays[side].transpose(np.argsort(perm)))
    types = {k: TensorType(IntType.of(v.dtype), v.shape) for k, v in (arrays | {side: source}).items()}
    names = tuple("t" if k == side else k for k in "ab")
    nodes = (Node("m", ops.Transpose(perm=perm), (side,), ("t",)), Node("n", ops.MatMul(), names, ("y",)))
    graph = Graph(types, ("y",), {}, nodes)
    got = Engine(graph, level=level).run(arrays | {side: source})["y"]
    np.testing.assert_array_equal(got, ops.MatMul().reference(arrays["a"], arrays["b"])[0])
