"""The checker tells every fault of a graph at once, each one time."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.attention import attention_graph
from helpers.graphs import full
from helpers.softmax import shiftmax, softmax_bit, softmax_i_bert

from intvit import ops
from intvit.errors import InputFileError
from intvit.ir import Graph, GraphError, Node, TensorType, check, check_graph, infer_types
from intvit.numerics import S8, S16, S32, S64, U8
from intvit.runtime.reference import trace_reference

X = TensorType(U8, (1, 4, 6), 0)
LINEAR = ops.Linear(shift=30, **full(S8))
CONSTANTS = {
    "weight": np.ones((6, 5), np.int8),
    "bias": np.zeros(5, np.int32),
    "multiplier": np.ones(5, np.int32),
}
GOOD = Graph({"x": X}, ("y",), CONSTANTS, (Node("dense", LINEAR, ("x", "weight", "bias", "multiplier"), ("y",)),))


def found(graph):
    return [str(fault) for fault in check(graph)[0]]


def test_a_sound_graph_has_no_fault():
    assert found(GOOD) == []
    assert check_graph(GOOD) == infer_types(GOOD)
    assert check_graph(GOOD)["y"] == TensorType(S8, (1, 4, 5), 0)
    assert found(attention_graph()) == []


def test_all_faults_are_told_at_once():
    nodes = (
        Node("a", LINEAR, ("x", "weight", "bias", "multiplier"), ("y",)),
        Node("b", LINEAR, ("nowhere", "weight", "bias", "multiplier"), ("b",)),
        Node("c", LINEAR, ("x", "weight"), ("c",)),
        Node("d", ops.Transpose(perm=(0, 2, 1)), ("x",), ("d", "e")),
        Node("f", LINEAR, ("x", "weight", "multiplier", "wrong"), ("f",)),
        Node("f", ops.Transpose(perm=(0, 1)), ("x",), ("y",)),
        Node("g", ops.Transpose(perm=(0, 1, 2)), ("f",), ("g",)),
        Node("h", ops.Slice(axis=0, start=0, end=1), ("x",), ("h",)),
        Node("early", ops.Transpose(perm=(0, 1, 2)), ("late",), ("early",)),
        Node("late", ops.Transpose(perm=(0, 1, 2)), ("x",), ("late",)),
    )
    constants = CONSTANTS | {"wrong": np.ones(5, np.int16), "unused": np.ones(2, np.int8), "real": np.ones(2)}
    graph = Graph({"x": X}, ("y", "g", "absent"), constants, nodes)
    assert found(graph) == [
        "y: is defined 2 times",
        "f: names 2 nodes",
        "real: integer tensors only: float64 is not an integer dtype",
        "b: uses 'nowhere', which nothing before it makes",
        "c: Linear takes 4 inputs, found 2",
        "d: Transpose makes 1 outputs, found 2",
        "f: Linear: multiplier must be s32[5], got s16[5]",
        "f: Transpose: perm (0, 1) must order the axes of u8[N,4,6]",
        "h: Slice: axis 0 carries the batch of u8[N,4,6]",
        "early: uses 'late', which nothing before it makes",
        "absent: is an output of the graph but nothing makes it",
        "unused: is a constant that nothing uses",
        "real: is a constant that nothing uses",
    ]
    with pytest.raises(GraphError) as caught:
        check_graph(graph)
    assert len(caught.value.faults) == 13
    assert all(str(fault) in str(caught.value) for fault in caught.value.faults)


def test_an_error_lists_twenty_faults_and_counts_the_rest():
    nodes = tuple(Node(f"n{i}", ops.Transpose(perm=(0,)), (f"no{i}",), (f"y{i}",)) for i in range(30))
    with pytest.raises(GraphError, match=r"30 faults[\s\S]*and 10 more") as caught:
        check_graph(Graph({"x": X}, ("x",), {}, nodes))
    assert isinstance(caught.value, InputFileError)
    assert caught.value.exit_status == 3


WRONG = {
    "x of 32 bits": {"inputs": {"x": TensorType(S32, (1, 4, 6), 0)}},
    "depth": {"inputs": {"x": TensorType(U8, (1, 4, 7), 0)}},
    "batch in the channels": {"inputs": {"x": TensorType(U8, (4, 6), 1)}},
    "weight type": {"constants": CONSTANTS | {"weight": np.ones((6, 5), np.int32)}},
    "weight rank": {"constants": CONSTANTS | {"weight": np.ones((1, 6, 5), np.int8)}},
    "bias type": {"constants": CONSTANTS | {"bias": np.ones(5, np.int64)}},
    "bias shape": {"constants": CONSTANTS | {"bias": np.ones((1, 5), np.int32)}},
    "multiplier shape": {"constants": CONSTANTS | {"multiplier": np.ones(1, np.int32)}},
}
OPS = {
    "shift 1": replace(LINEAR, shift=1),
    "shift 63": replace(LINEAR, shift=63),
    "low below the type": replace(LINEAR, low=-129),
    "high above the type": replace(LINEAR, high=128),
    "low above high": replace(LINEAR, low=3, high=2),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_linear_refuses(change):
    assert len(found(replace(GOOD, **change))) == 1


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_linear_refuses_attributes(op):
    assert len(found(replace(GOOD, nodes=(replace(GOOD.nodes[0], op=op),)))) == 1


def one(op, *kinds):
    """The faults of one operator on graph inputs of these types."""
    names = [f"x{i}" for i in range(len(kinds))]
    graph = Graph(dict(zip(names, kinds, strict=True)), op.output_names, {}, (Node("n", op, tuple(names), op.output_names),))
    return check(graph)[0]


S32_1 = TensorType(S32, (1,))
SCORES = TensorType(S32, (1, 2, 3), 0)
HALVES = TensorType(S16, (1, 2, 3), 0)
BYTES = TensorType(S8, (1, 2, 3), 0)


def gelu(fraction_bits):
    return ops.GeluPolynomial(fraction_bits=fraction_bits, shift=2, coefficients=(1, 2, 3, 4), **full(S8))


def gelu_table(fraction_bits):
    return ops.GeluTable(fraction_bits=fraction_bits, index_shift=0, shift=2, **full(S8))


def gelu_shift(unit=9, n=23):
    return ops.GeluShift(unit=unit, n=n, shift=2, **full(S8))


def gelu_erf(power=4, knee=9, one=9, erf_shift=0):
    return ops.GeluErf(power=power, knee=knee, one=one, erf_shift=erf_shift, shift=2, **full(S8))


def two_scale(op, **attributes):
    return op(**{"bits": 8, "coarse_shift": 3} | attributes)


REFUSED = {
    "MatMul ranks": (ops.MatMul(), BYTES, TensorType(S8, (3, 2))),
    "MatMul inner": (ops.MatMul(), BYTES, BYTES),
    "MatMul types": (ops.MatMul(), SCORES, TensorType(S8, (1, 3, 2), 0)),
    "MatMul batches": (ops.MatMul(), BYTES, TensorType(S8, (1, 3, 2))),
    "Add shapes": (ops.Add(multiplier_a=1, multiplier_b=1, shift=2, **full(S8)), BYTES, TensorType(S8, (1, 2, 4), 0)),
    "Add multiplier": (ops.Add(multiplier_a=-1, multiplier_b=1, shift=2, **full(S8)), BYTES, BYTES),
    "AppendResiduals x": (ops.AppendResiduals(bits=3, channels=(0,)), BYTES),
    "AppendResiduals bits": (ops.AppendResiduals(bits=8, channels=(0,)), HALVES),
    "AppendResiduals none": (ops.AppendResiduals(bits=3, channels=()), HALVES),
    "AppendResiduals channels": (ops.AppendResiduals(bits=3, channels=(0, 3)), HALVES),
    "AppendResiduals negative": (ops.AppendResiduals(bits=3, channels=(-1,)), HALVES),
    "AppendResiduals batch": (ops.AppendResiduals(bits=3, channels=(0,)), TensorType(S16, (2, 1), 1)),
    "Mean batch": (ops.Mean(axes=(0,), multiplier=1, shift=2, **full(S8)), BYTES),
    "Mean axis": (ops.Mean(axes=(3,), multiplier=1, shift=2, **full(S8)), BYTES),
    "Mean s32": (ops.Mean(axes=(1,), multiplier=1, shift=2, **full(S8)), SCORES),
    "Concat batch": (ops.Concat(axis=0), BYTES, BYTES),
    "Concat types": (ops.Concat(axis=1), BYTES, HALVES),
    "Concat shapes": (ops.Concat(axis=1), BYTES, TensorType(S8, (1, 2, 4), 0)),
    "Slice range": (ops.Slice(axis=1, start=1, end=3), BYTES),
    "Slice empty": (ops.Slice(axis=1, start=1, end=1), BYTES),
    "Slice negative": (ops.Slice(axis=1, start=-2, end=-1), BYTES),
    "Reshape size": (ops.Reshape(shape=(-1, 4)), BYTES),
    "Reshape without batch": (ops.Reshape(shape=(1, 6)), BYTES),
    "Reshape zero": (ops.Reshape(shape=(-1, 0)), BYTES),
    "Expand batched": (ops.Expand(), BYTES, BYTES),
    "Expand long": (ops.Expand(), TensorType(S8, (2, 3)), BYTES),
    "SoftmaxTable x": (ops.SoftmaxTable(shift=2), HALVES, S32_1, TensorType(U8, (9,))),
    "SoftmaxTable multiplier": (ops.SoftmaxTable(shift=2), SCORES, TensorType(S32, (3,)), TensorType(U8, (9,))),
    "SoftmaxTable table": (ops.SoftmaxTable(shift=2), SCORES, S32_1, TensorType(U8, (1,))),
    "SoftmaxPolynomial few": (ops.SoftmaxPolynomial(shift=2, coefficients=(32640,)), SCORES, S32_1),
    "SoftmaxPolynomial top": (ops.SoftmaxPolynomial(shift=2, coefficients=(1, 2, 3, 4)), SCORES, S32_1),
    "LayerNorm epsilon": (ops.LayerNorm(epsilon=0, shift=2, **full(S8)), HALVES, TensorType(S32, (3,)), TensorType(S64, (3,))),
    "LayerNorm bias": (ops.LayerNorm(epsilon=1, shift=2, **full(S8)), HALVES, TensorType(S32, (3,)), TensorType(S32, (3,))),
    "LayerNormNewton bias": (ops.LayerNormNewton(shift=2, **full(S8)), HALVES, TensorType(S32, (3,)), S32_1),
    "LayerNormNewton x": (ops.LayerNormNewton(shift=2, **full(S8)), TensorType(S64, (1, 1), 0), S32_1, TensorType(S64, (1,))),
    "GeluShift x": (gelu_shift(), HALVES, S32_1),
    "GeluShift unit": (gelu_shift(unit=0), BYTES, S32_1),
    "GeluShift large unit": (gelu_shift(unit=(1 << 20) + 1), BYTES, S32_1),
    "GeluShift n": (gelu_shift(n=32), BYTES, S32_1),
    "GeluShift multiplier": (gelu_shift(), BYTES, TensorType(S32, (2,))),
    "GeluErf x": (gelu_erf(), SCORES, S32_1),
    "GeluErf power": (gelu_erf(power=3), HALVES, S32_1),
    "GeluErf knee": (gelu_erf(knee=(1 << 15) + 1), HALVES, S32_1),
    "GeluErf one": (gelu_erf(one=0), HALVES, S32_1),
    "GeluErf shift": (gelu_erf(erf_shift=63), HALVES, S32_1),
    "GeluPolynomial x": (gelu(1), BYTES, S32_1),
    "GeluPolynomial bits": (gelu(14), HALVES, S32_1),
    "GeluTable table": (gelu_table(3), HALVES, S32_1, TensorType(S16, (31,))),
    "Requantize multiplier": (ops.Requantize(shift=2, **full(S8)), HALVES, TensorType(S32, (2,))),
    "Shiftmax x": (shiftmax(0.1), SCORES),
    "Shiftmax batch": (shiftmax(0.1), TensorType(S8, (2, 1), 1)),
    "Shiftmax bits": (shiftmax(0.1, bits=9, to=S8), BYTES),
    "Shiftmax type": (shiftmax(0.1, to=S32), BYTES),
    "Shiftmax unit": (ops.Shiftmax(to=S16, bits=16, unit=0, n=15), BYTES),
    "Shiftmax n": (shiftmax(0.1, n=31), BYTES),
    "SoftmaxBit step": (softmax_bit(2.0**-17), BYTES),
    "SoftmaxBit nearest": (softmax_bit(0.1, nearest=2), BYTES),
    "SoftmaxBit numerator": (softmax_bit(0.1, numerator_bits=32), BYTES),
    "SoftmaxIBert parabola": (replace(softmax_i_bert(0.1), c=1), BYTES),
    "SoftmaxIBert b": (replace(softmax_i_bert(0.1), b=0), BYTES),
    "SoftmaxIBert ln2": (replace(softmax_i_bert(0.1), ln2=0), BYTES),
    "SoftmaxIBert shift": (replace(softmax_i_bert(0.1), shift=33), BYTES),
    "SoftmaxIBert multiplier": (replace(softmax_i_bert(0.1), multiplier=0), BYTES),
    "SoftmaxTwoScale table": (two_scale(ops.SoftmaxTwoScale, shift=2), SCORES, S32_1, TensorType(S8, (9,))),
    "SoftmaxTwoScale bits": (two_scale(ops.SoftmaxTwoScale, bits=9, shift=2), SCORES, S32_1, TensorType(U8, (9,))),
    "TwoScaleDecode x": (two_scale(ops.TwoScaleDecode), BYTES),
    "TwoScaleDecode regions": (two_scale(ops.TwoScaleDecode, coarse_shift=8), TensorType(U8, (1, 2), 0)),
    "TwoScaleEncode multiplier": (two_scale(ops.TwoScaleEncode, shift=2, multiplier=-1), HALVES),
    "TwoScaleEncode bits": (two_scale(ops.TwoScaleEncode, bits=1, shift=2, multiplier=1), HALVES),
    "TwoScaleEncode shift": (two_scale(ops.TwoScaleEncode, shift=1, multiplier=1), HALVES),
    "SoftmaxDivide sums": (ops.SoftmaxDivide(shift=2, **full(S8)), SCORES, SCORES, TensorType(S32, (1,))),
}  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED)
def test_operators_refuse_inputs_that_do_not_fit(refused):
    op, *kinds = refused
    (fault,) = one(op, *kinds)
    assert fault.message.startswith(f"{op.kind()}: ")


MIXED = ops.Reshape(shape=(2, -1))
FOUR = TensorType(S8, (4, 3), 0)
ADD = ops.Add(multiplier_a=1, multiplier_b=1, shift=2, **full(S8))
SCALAR = TensorType(S16, ())
HOLES = {
    "Reshape mixes the images of a batch": (MIXED, TensorType(S8, (1, 6), 0)),
    "Add repeats a batch by a constant": (ADD, TensorType(S8, (1, 3), 0), TensorType(S8, (5, 3))),
    "Add fits a constant to one image's rows": (ADD, FOUR, TensorType(S8, (4, 1))),
    "Add of different rows an image": (ADD, FOUR, TensorType(S8, (1, 3), 0)),
    "Requantize by a multiplier along the batch": (ops.Requantize(shift=2, **full(S8)), FOUR, TensorType(S32, (4, 1))),
    "Mean over an axis twice": (ops.Mean(axes=(1, 1), multiplier=1, shift=2, **full(S8)), BYTES),
    "Mean over no axis": (ops.Mean(axes=(), multiplier=1, shift=2, **full(S8)), BYTES),
    "LayerNorm of a scalar": (ops.LayerNorm(epsilon=1, shift=2, **full(S8)), SCALAR, S32_1, TensorType(S64, (1,))),
    "Gelu of a scalar": (gelu(1), SCALAR, S32_1),
    "TwoScaleEncode of a scalar": (two_scale(ops.TwoScaleEncode, shift=2, multiplier=1), SCALAR),
    "TwoScaleDecode of a scalar": (two_scale(ops.TwoScaleDecode), TensorType(U8, ())),
    "GeluTable of very many fraction bits": (gelu_table(20000), HALVES, S32_1, TensorType(S16, (31,))),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES)
def test_operators_refuse_what_has_no_meaning_for_a_batch(hole):
    op, *kinds = hole
    assert len(one(op, *kinds)) == 1


def test_inferred_types_are_those_of_the_reference():
    graph = attention_graph()
    types = infer_types(graph)
    pixels = np.zeros((2, *graph.inputs["pixels"].shape[1:]), np.uint8)
    for _, outputs in trace_reference(graph, {"pixels": pixels}):
        for name, array in outputs.items():
            assert (array.dtype, array.shape) == (types[name].dtype.dtype, types[name].at_batch(2))
