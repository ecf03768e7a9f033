"""Two-scale codes and outlier channels: what the search finds, and that the integer operators do what it judged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from intvit import ops
from intvit.io import model_to_bytes
from intvit.ir import infer_types
from intvit.numerics import S8, S16, U8
from intvit.quantize import quantize
from intvit.quantize.lower.two_scale import TABLE_STEPS, exponential_codes
from intvit.quantize.recipe import RECIPES
from intvit.quantize.two_scale import TwoScale, exponentials, select_outliers, select_output_outliers, select_two_scale
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference, trace_reference

EXPORTS = Path(__file__).parent.parent / "data" / "exports"
LAYOUTS = [(bits, shift) for bits in (3, 4, 6, 8) for shift in range(1, bits)]


def images(count, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8))


@pytest.fixture(scope="module")
def model():
    return quantize(EXPORTS / "timm_torchscript17.onnx", images(8, 0), recipe="tsptq-vit")


@pytest.mark.parametrize(("bits", "coarse_shift"), LAYOUTS)
def test_the_values_that_are_judged_are_those_of_the_operators(bits, coarse_shift):
    codes = TwoScale(bits, coarse_shift, 0.125, 3)
    real = np.linspace(-2, codes.top * 0.125 + 1, 999)
    encode = ops.TwoScaleEncode(bits=bits, coarse_shift=coarse_shift, multiplier=1 << 30, shift=30, zero_point=3)
    (stored,) = encode.reference(np.floor(real / 0.125 + 0.5).astype(np.int32))
    (values,) = ops.TwoScaleDecode(bits=bits, coarse_shift=coarse_shift).reference(stored)
    np.testing.assert_array_equal(codes.values(real), values)
    np.testing.assert_array_equal(codes.rounded(real), (values - 3.0) * 0.125)


@pytest.mark.parametrize(("bits", "coarse_shift"), LAYOUTS)
def test_the_table_of_exponentials_starts_at_the_top_and_ends_at_zero(bits, coarse_shift):
    table = exponential_codes(bits, coarse_shift)
    (values,) = ops.TwoScaleDecode(bits=bits, coarse_shift=coarse_shift).reference(table)
    wanted = np.exp(-np.arange(len(table)) / TABLE_STEPS)
    np.testing.assert_array_equal(values, exponentials(coarse_shift, bits, wanted))
    assert table[0] == (1 << bits) - 1
    assert table[-1] == 0
    assert (np.diff(values.astype(int)) <= 0).all()


@pytest.mark.parametrize("bits", [6, 8])
def test_two_scales_beat_one_on_a_long_tail(bits):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((500, 40)) ** 3
    rows, weight = np.maximum(rows, -0.17), rng.standard_normal((40, 30))
    found = select_two_scale(rows, weight, float(rows.min()), float(rows.max()), bits, 1 << 15)
    scale = (rows.max() - rows.min()) / ((1 << bits) - 1)
    uniform = np.floor((rows - rows.min()) / scale + 0.5) * scale + rows.min()

    def error(got):
        return (((got - rows) @ weight) ** 2).sum()

    assert error(found.rounded(rows)) < error(uniform) / 3
    others = [TwoScale(bits, shift, (rows.max() + 0.17) / TwoScale(bits, shift, 1.0).top, 0) for shift in range(1, bits)]
    for other in others:
        lifted = TwoScale(bits, other.coarse_shift, other.scale, round(0.17 / other.scale))
        assert error(found.rounded(rows)) <= error(lifted.rounded(rows)) * 1.001


def test_the_values_of_codes_stay_below_the_limit():
    rng = np.random.default_rng(0)
    rows, weight = np.abs(rng.standard_normal((200, 40)) ** 5), rng.standard_normal((40, 30))
    free = select_two_scale(rows, weight, 0.0, float(rows.max()), 8, 1 << 15)
    assert select_two_scale(rows, weight, 0.0, float(rows.max()), 8, free.top - 1).top < free.top


def test_planted_outlier_channels_are_found():
    rows = np.random.default_rng(0).standard_normal((400, 48))
    rows[:, [3, 17]] *= 40
    gamma = np.ones(48)
    found = select_outliers(rows, np.abs(rows).max(0), gamma, 8)
    assert np.flatnonzero(found.outlier).tolist() == [3, 17]
    assert found.shift >= 4


@pytest.mark.parametrize("bits", [6, 8])
def test_outliers_of_an_output_get_the_larger_scale_and_all_channels_their_range(bits):
    rng = np.random.default_rng(0)
    rows, weight = rng.standard_normal((400, 48)), rng.standard_normal((48, 20))
    rows[:, [5, 40]] *= 30
    low, high = rows.min(0), rows.max(0)
    found = select_output_outliers(rows, low, high, weight, bits)
    assert np.flatnonzero(found.outlier).tolist() == [5, 40]
    reach = found.scale * 2.0**found.shifts * ((1 << bits) - 1)
    assert (reach >= 0.5 * (high - low)).all()
    plain = (high - low).max() / ((1 << bits) - 1)

    def error(got):
        return (((got - rows) @ weight) ** 2).sum()

    middle = (low + high) / 2
    assert error(found.rounded(rows - middle, bits) + middle) < error(np.floor(rows / plain + 0.5) * plain) / 10


def test_what_is_stored_after_softmax_and_gelu_and_before_layer_norm_has_8_bits(model):
    types, made = infer_types(model.graph), {name: node for node in model.graph.nodes for name in node.outputs}
    kinds = [node.op.kind() for node in model.graph.nodes]
    assert kinds.count("SoftmaxTwoScale") == kinds.count("MatMul") / 2 > 0
    assert "SoftmaxTable" not in kinds
    for node in model.graph.nodes:
        if isinstance(node.op, ops.TwoScaleDecode):
            assert types[node.inputs[0]].dtype == U8
            assert isinstance(made[node.inputs[0]].op, ops.TwoScaleEncode | ops.SoftmaxTwoScale)
        if isinstance(node.op, ops.GeluTable):
            (reader,) = [other for other in model.graph.nodes if node.outputs[0] in other.inputs]
            assert isinstance(reader.op, ops.TwoScaleEncode)
        if isinstance(node.op, ops.LayerNorm):
            assert is_narrow(node.inputs[0], types, made)


def test_six_bits_reach_every_code():
    recipe = replace(RECIPES["tsptq-vit"], weight_bits=6, act_bits=6)
    model = quantize(EXPORTS / "timm_torchscript17.onnx", images(8, 0), recipe=recipe)
    two_scale = [node.op for node in model.graph.nodes if isinstance(node.op, ops.TwoScaleEncode | ops.SoftmaxTwoScale)]
    assert {op.bits for op in two_scale} == {6}
    assert {node.op.bits for node in model.graph.nodes if isinstance(node.op, ops.TwoScaleDecode)} == {6}
    norms = [node.op for node in model.graph.nodes if isinstance(node.op, ops.LayerNorm)]
    assert {(op.low, op.high) for op in norms} == {(0, 63), (0, 255)}


def is_narrow(name, types, made):
    """Whether a value is s8, or s8 shifted."""
    if types[name].dtype == S16:
        name = made[name].inputs[0]
    return types[name].dtype == S8 and isinstance(made[name].op, ops.Requantize)


def test_outlier_channels_are_aligned_by_shifts(model):
    pixels = np.stack(images(2, 1))
    values = {"pixels": pixels}
    aligned = 0
    for node, outputs in trace_reference(model.graph, {"pixels": pixels}):
        values |= outputs
        if node.name.endswith(".align"):
            shifts = np.log2(model.graph.constants[node.inputs[1]] // 4).astype(np.int64)
            assert len(np.unique(shifts)) == 2
            np.testing.assert_array_equal(values[node.outputs[0]], values[node.inputs[0]].astype(np.int64) << shifts)
            aligned += 1
    assert aligned


def test_every_executor_gives_the_same_bits(model):
    pixels = np.stack(images(2, 1))
    want = run_reference(model.graph, {"pixels": pixels})
    session = onnxruntime.InferenceSession(model_to_bytes(model), providers=["CPUExecutionProvider"])
    for name, other in zip(model.graph.outputs, session.run(list(model.graph.outputs), {"pixels": pixels}), strict=True):
        np.testing.assert_array_equal(other, want[name])
        np.testing.assert_array_equal(Engine(model.graph).run({"pixels": pixels})[name], want[name])
