"""Every recipe, at several widths: the same bits in every executor, and no more codes than its bits have."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from intvit import ops
from intvit.errors import UsageError
from intvit.io import model_to_bytes
from intvit.ir import infer_types
from intvit.ir.check import check_graph
from intvit.quantize import quantize
from intvit.quantize.recipe import RECIPES, find_recipe
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
CASES = [*((name, 8, 8) for name in RECIPES), ("default", 6, 6), ("default", 4, 8), ("default", 4, 4), ("default", 3, 5)]
THREE_BITS = [(name, 3, 3) for name in ("default", "minmax", "tsptq-vit", "iptq-vit", "aiqvit")]
CASES += [("aiqvit", None, None), *THREE_BITS]


def images(count, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8))


def convert(name, weight_bits, act_bits, count=8):
    return quantize(EXPORT, images(count, 0), recipe=name, weight_bits=weight_bits, act_bits=act_bits)


@pytest.mark.parametrize(("name", "weight_bits", "act_bits"), CASES)
def test_all_executors_agree(name, weight_bits, act_bits):
    model = convert(name, weight_bits, act_bits)
    pixels = np.stack(images(3, 1))
    reference = run_reference(model.graph, {"pixels": pixels})
    session = onnxruntime.InferenceSession(model_to_bytes(model), providers=["CPUExecutionProvider"])
    outputs = list(model.graph.outputs)
    for output, elsewhere in zip(outputs, session.run(outputs, {"pixels": pixels}), strict=True):
        np.testing.assert_array_equal(elsewhere, reference[output])
        np.testing.assert_array_equal(Engine(model.graph).run({"pixels": pixels})[output], reference[output])


@pytest.mark.parametrize(("weight_bits", "act_bits"), [(6, 6), (4, 4), (3, 5), (3, 3)])
def test_inner_products_read_no_more_codes_than_asked_for(weight_bits, act_bits):
    """The patch embedding and the head keep 8 bits; what is decoded from two-scale codes is stored in as many bits, too."""
    graph = convert("default", weight_bits, act_bits).graph
    types, makers = infer_types(graph), {name: node for node in graph.nodes for name in node.outputs}
    linears = [node for node in graph.nodes if isinstance(node.op, ops.Linear)]
    for node in linears[1:-1]:
        if in_branch(node):
            continue
        assert np.abs(graph.constants[node.inputs[1]]).max() < 1 << (weight_bits - 1)
        assert codes_of(node.inputs[0], makers, types) <= 1 << act_bits
    for node in graph.nodes:
        if isinstance(node.op, ops.MatMul):
            assert all(codes_of(name, makers, types) <= 1 << act_bits for name in node.inputs)


@pytest.mark.parametrize("weight_bits", [8, 4, 3, 2])
def test_files_hold_weights_of_four_bits_and_fewer_in_four_bits(weight_bits):
    model = convert("default", weight_bits, None)
    linears = (node for node in model.graph.nodes if isinstance(node.op, ops.Linear) and not in_branch(node))
    first, *inner, last = (node.inputs[1] for node in linears)
    tensors = onnx.load_from_string(model_to_bytes(model)).graph.initializer
    stored = {tensor.name for tensor in tensors if tensor.data_type == onnx.TensorProto.INT4}
    assert stored == (set() if weight_bits == 8 else set(inner))
    assert not stored & {first, last}


def in_branch(node):
    """Whether a linear layer belongs to a side branch, which has 8-bit weights."""
    return node.name.endswith((".down", ".up"))


def codes_of(name, makers, types):
    """Return how many codes a value has, looking through data movement and decoding."""
    node = makers[name]
    while isinstance(node.op, ops.Reshape | ops.Transpose | ops.Slice | ops.TwoScaleDecode):
        node = makers[node.inputs[0]]
    if isinstance(node.op, ops.TwoScaleEncode | ops.SoftmaxTwoScale):
        return 1 << node.op.bits
    return node.op.high - node.op.low + 1


def test_the_default_multiplies_8_by_8_bits_only():
    graph = convert("default", None, None).graph
    types = check_graph(graph)
    for node in graph.nodes:
        if isinstance(node.op, ops.Linear | ops.MatMul):
            assert types[node.inputs[0]].dtype.bits == 8


def test_i_vit_is_symmetric_and_has_its_operators():
    graph = convert("i-vit", None, None).graph
    kinds = {node.op.kind() for node in graph.nodes}
    assert {"Shiftmax", "GeluShift", "LayerNormNewton"} <= kinds
    for node in graph.nodes:
        if isinstance(node.op, ops.LayerNormNewton | ops.GeluShift):
            assert node.op.zero_point in (0, 127, 128)


@pytest.mark.parametrize("bits", [3, 4, 6])
def test_aiqvit_multiplies_few_bits_but_in_its_side_branches(bits):
    graph = convert("aiqvit", bits, bits, count=16).graph
    types, makers = infer_types(graph), {name: node for node in graph.nodes for name in node.outputs}
    linears = [node for node in graph.nodes if isinstance(node.op, ops.Linear)][1:-1]
    branches = [node for node in linears if in_branch(node)]
    assert branches or bits > 3
    for node in linears:
        if node not in branches:
            assert np.abs(graph.constants[node.inputs[1]]).max() < 1 << (bits - 1)
        if not node.name.endswith(".up"):
            assert codes_of(node.inputs[0], makers, types) <= 1 << bits
    for node in branches:
        assert min(graph.constants[node.inputs[1]].shape) in RECIPES["aiqvit"].low_rank


def test_aiqvit_has_4_bits_unless_asked_otherwise():
    assert (find_recipe("aiqvit").weight_bits, find_recipe("aiqvit").act_bits) == (4, 4)
    assert (find_recipe("aiqvit", 6, 6).weight_bits, find_recipe("aiqvit", 6, 6).act_bits) == (6, 6)


@pytest.mark.parametrize("bits", [{"weight_bits": 1}, {"act_bits": 2}, {"weight_bits": 11}, {"act_bits": 9}])
def test_bits_that_no_recipe_has_are_refused(bits):
    with pytest.raises(UsageError, match="so many bits"):
        find_recipe("default", **bits)


def test_weights_of_more_than_8_bits_need_a_budget_for_16():
    for recipe, budget in (("default", None), ("default", 0.75), ("minmax", None)):
        with pytest.raises(UsageError, match="only weights that meet codes of 16 bits"):
            find_recipe(recipe, weight_bits=10, budget=budget)
    assert find_recipe("accurate").weight_bits == 10
    assert find_recipe("accurate", weight_bits=8).weight_bits == 8
    assert find_recipe("accurate", budget=0.75).weight_bits == 8
    assert find_recipe("default", weight_bits=9, budget=1.3).weight_bits == 9
