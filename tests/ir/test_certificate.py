"""The overflow certificate: sound for every input, attained where it says so, and never fooled by a changed constant."""

import random
from dataclasses import replace

import numpy as np
import pytest
from helpers.attention import attention_graph
from helpers.codes import codes
from helpers.graphs import full, op_graph
from ops.cases import CASES

from intvit import ops
from intvit.errors import CheckFailed, IntvitError
from intvit.ir import Graph, Node, TensorType, certify
from intvit.numerics import S8, S16, S32, S63, Interval
from intvit.ops.softmax_polynomial import CUBIC
from intvit.runtime.reference import trace_reference


def assert_inside(graph, inputs, intervals):
    """Run the graph and fail if any value of any node lies outside its interval."""
    for node, outputs in trace_reference(graph, inputs):
        for name, array in outputs.items():
            observed = Interval(int(array.min()), int(array.max()))
            assert observed in intervals[name], f"{node.name}: {name} in {observed}, promised {intervals[name]}"


def random_inputs(graph, seed, batch=2):
    """Codes over the whole type, many of them extreme."""
    return {name: codes(kind.at_batch(batch), kind.dtype.dtype, seed=seed, extremes=0.5)
            for name, kind in graph.inputs.items()}  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_intervals_hold_every_value(case):
    certificate = certify(case.graph)
    certificate.require()
    assert_inside(case.graph, case.inputs, certificate.intervals)
    size = sum(array.size for array in case.inputs.values())
    for seed in range(3 if size < 5000 else 1):
        assert_inside(case.graph, random_inputs(case.graph, seed, 1), certificate.intervals)


def test_intervals_hold_every_value_of_a_model():
    graph = attention_graph()
    intervals = certify(graph).intervals
    for seed in range(20):
        assert_inside(graph, random_inputs(graph, seed), intervals)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16])
@pytest.mark.parametrize("seed", range(5))
def test_linear_accumulator_bound_is_attained(kind, seed):
    """For the extreme columns the input that takes each weight's worst code reaches the bound exactly."""
    depth, width = 7, 5
    weight, bias = codes((depth, width), np.int8, seed=seed), np.zeros(width, np.int32)
    info = np.iinfo(kind)
    op, constants = ops.Linear(shift=2, **full(S32)), {"weight": weight, "bias": bias}
    graph = op_graph(op, {"x": np.zeros((1, depth), kind)}, constants | {"multiplier": np.full(width, 4, np.int32)})
    claim = next(claim.bound for claim in certify(graph).claims if claim.bound.quantity == "accumulator")
    sums = [
        (sum(int(w) * (info.min if w > 0 else info.max) for w in column),
         sum(int(w) * (info.max if w > 0 else info.min) for w in column))
        for column in weight.T.tolist()
    ]  # fmt: skip
    assert claim.interval == Interval(min(low for low, _ in sums), max(high for _, high in sums))
    for column, (low, high) in enumerate(sums):
        worst = [np.where(weight[:, column] > 0, *ends).astype(kind) for ends in ((info.min, info.max), (info.max, info.min))]
        (y,) = op.reference(np.stack(worst), *(graph.constants[n] for n in ("weight", "bias", "multiplier")))
        assert y[:, column].tolist() == [low, high]


def test_a_partial_sum_that_overflows_is_found_even_if_the_sum_does_not():
    depth = (1 << 31) // (255 * 127) + 1
    weight = np.concatenate([np.full((depth, 1), 127, np.int8), np.full((depth, 1), -127, np.int8)])
    graph = op_graph(
        ops.Linear(shift=62, **full(S8)),
        {"x": np.zeros((1, 2 * depth), np.uint8)},
        {"weight": weight, "bias": np.zeros(1, np.int32), "multiplier": np.ones(1, np.int32)},
    )
    assert [claim.bound.quantity for claim in certify(graph).failures] == ["accumulator"]


@pytest.mark.parametrize(("width", "holds"), [(65536, True), (66000, True), (132000, False)])
def test_matmul_claims_its_accumulator(width, holds):
    kinds = {"a": TensorType(S8, (1, 1, width), 0), "b": TensorType(S8, (1, width, 1), 0)}
    graph = Graph(kinds, ("y",), {}, (Node("n", ops.MatMul(), ("a", "b"), ("y",)),))
    claim = certify(graph).claims[0].bound
    assert claim.interval == Interval(-128 * 127 * width, 128 * 128 * width)
    assert claim.holds == holds


def requantize(multiplier, shift, **more):
    x = np.zeros((1, 3), np.int32)
    op = ops.Requantize(shift=shift, **full(S8), **more)
    return op_graph(op, {"x": x}, {"multiplier": np.array([multiplier], np.int32)})


@pytest.mark.parametrize(
    ("multiplier", "shift", "holds"),
    [
        (1 << 30, 31, True),
        ((1 << 31) - 1, 31, True),
        ((1 << 31) - 1, 61, False),
        (1 << 30, 62, True),
        ((1 << 30) + 1, 62, False),
    ],
)
def test_rescale_claims_63_bits_with_the_rounding_half(multiplier, shift, holds):
    claim = next(c.bound for c in certify(requantize(multiplier, shift)).claims if c.bound.quantity == "rescale")
    top = ((1 << 31) - 1) * multiplier + (1 << (shift - 1))
    assert claim.type == S63
    assert claim.interval == Interval(-(1 << 31) * multiplier, top)
    assert claim.holds == holds == (top < 1 << 62 and (1 << 31) * multiplier <= 1 << 62)


def test_failures_are_named():
    certificate = certify(requantize((1 << 31) - 1, 62))
    assert [claim.bound.quantity for claim in certificate.failures] == ["rescale"]
    with pytest.raises(CheckFailed, match=r"1 intermediates could overflow\n  - node \(Requantize\): rescale in"):
        certificate.require()
    assert certificate.tightest(1) == certificate.failures


def test_what_must_be_constant_is_required_to_be():
    kinds = {"x": TensorType(S32, (1, 3), 0), "multiplier": TensorType(S32, (1,))}
    node = Node("n", ops.Requantize(shift=2, **full(S8)), ("x", "multiplier"), ("y",))
    with pytest.raises(CheckFailed, match="must be a constant"):
        certify(Graph(kinds, ("y",), {}, (node,)))


def exact_trace(graph, inputs, intervals):
    """Run in int64 with NumPy's overflow traps off and say whether every value lies inside its claimed interval."""
    with np.errstate(all="ignore"):
        try:
            assert_inside(graph, inputs, intervals)
        except (AssertionError, ValueError, IndexError):
            return False
    return True


def mutated(graph, rng):
    """Change one constant in one place: one bit more, the sign, or any value of its type."""
    name = rng.choice(sorted(graph.constants))
    array = graph.constants[name].copy()
    info, at = np.iinfo(array.dtype), rng.randrange(array.size)
    old = int(array.flat[at])
    new = rng.choice([2 * old + 1, -old, info.max, info.min, rng.randint(info.min, info.max)])
    array.flat[at] = min(max(new, info.min), info.max)
    return name, replace(graph, constants={**graph.constants, name: array})


def test_a_changed_constant_is_refused_or_proved_again():
    rng, graph, refused = random.Random(7), attention_graph(), 0
    for seed in range(200):
        name, changed = mutated(graph, rng)
        try:
            certificate = certify(changed)
            certificate.require()
        except IntvitError:
            refused += 1
            continue
        assert exact_trace(changed, random_inputs(changed, seed, 1), certificate.intervals), name
    assert 10 < refused < 190


def proves_or_refuses(graph, inputs):
    """Whether the certificate refuses a graph, or its intervals hold for these inputs."""
    try:
        certificate = certify(graph)
        certificate.require()
    except IntvitError:
        return True
    return exact_trace(graph, inputs, certificate.intervals)


HOLES = {}
"""Graphs with inputs that would leave their intervals if they were certified, by name."""


def hole(function):
    HOLES[function.__name__] = function
    return function


@hole
def negative_softmax_multiplier():
    x = np.array([[0, -32768, -32768, -32768]], np.int32)
    op = ops.SoftmaxPolynomial(shift=2, coefficients=CUBIC)
    return op_graph(op, {"x": x}, {"multiplier": np.array([-4], np.int32)}), {"x": x}


@hole
def softmax_table_that_starts_below_255():
    x = codes((1, 2, 5), np.int32, -100, 100)
    constants = {"multiplier": np.array([4], np.int32), "table": np.zeros(9, np.uint8)}
    return op_graph(ops.SoftmaxTable(shift=2), {"x": x}, constants), {"x": x}


@hole
def zero_point_at_the_end_of_int64():
    op = ops.Requantize(shift=2, zero_point=(1 << 63) - 1, **full(S8))
    x = np.array([[100]], np.int32)
    return op_graph(op, {"x": x}, {"multiplier": np.array([4], np.int32)}), {"x": x}


@hole
def gelu_coefficient_whose_product_wraps_to_zero():
    op = ops.GeluPolynomial(fraction_bits=0, shift=2, coefficients=(0, 0, 0, 1 << 51), **full(S16))
    x = np.array([[1, 2, 3]], np.int16)
    graph = op_graph(op, {"x": x}, {"multiplier": np.array([4], np.int32)})
    return graph, {"x": x}


@hole
def gelu_erf_beyond_32_bits():
    op = ops.GeluErf(power=4, knee=1 << 15, one=1 << 16, erf_shift=40, shift=2, **full(S32))
    x = np.array([[-32768, -1, 0, 1, 32767]], np.int16)
    return op_graph(op, {"x": x}, {"multiplier": np.array([4], np.int32)}), {"x": x}


@hole
def gelu_shift_whose_sigmoid_is_far_beyond_one():
    op = ops.GeluShift(unit=1 << 20, n=31, shift=2, **full(S32))
    x = np.array([[-128, -1, 0, 1, 127]], np.int8)
    return op_graph(op, {"x": x}, {"multiplier": np.array([4], np.int32)}), {"x": x}


@hole
def layer_norm_newton_of_s32_whose_squares_wrap():
    x = np.array([[-(1 << 31), (1 << 31) - 1] * 4], np.int32)
    constants = {"multiplier": np.full(8, 1 << 30, np.int32), "bias": np.zeros(8, np.int64)}
    return op_graph(ops.LayerNormNewton(shift=40, **full(S32)), {"x": x}, constants), {"x": x}


@pytest.mark.parametrize("make", HOLES.values(), ids=HOLES)
def test_the_certificate_has_no_hole(make):
    assert proves_or_refuses(*make())


@pytest.mark.parametrize(("depth", "fits"), [(511, True), (512, False)])
def test_products_of_16_bit_codes_are_proved_from_their_interval(depth, fits):
    a, b = np.full((1, 1, depth), -32768, np.int16), np.full((1, depth, 1), -128, np.int8)
    graph = op_graph(ops.MatMul(), {"a": a, "b": b})
    assert fits == (not certify(graph).failures)
    assert fits == (depth * 32768 * 128 < 1 << 31)
