"""The rows that the output reads go their own way where the recipe wants it, and the model computes the same."""

import numpy as np
import pytest
from importer_fixtures import FIXTURES, imported, model_of, run

from intvit.importer import CanonicalModel, import_onnx, with_rows_apart


def input_dims(model: CanonicalModel, batch: int) -> list[int]:
    name = str(model.model.graph.inputs[0].name)
    return [batch, *(int(dim) for dim in model.shapes[name][1:])]


@pytest.mark.parametrize("file", FIXTURES, ids=lambda file: file.stem)
def test_computes_the_same_to_the_bit(file):
    model = import_onnx(file)
    apart = with_rows_apart(model)
    images = np.random.default_rng(0).standard_normal(input_dims(model, 3), dtype=np.float32)
    for found, wanted in zip(run(apart.to_proto(), images), run(model.to_proto(), images), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert apart.dynamic_batch == model.dynamic_batch
    assert apart.source_sha256 == model.source_sha256
    again = with_rows_apart(model)
    assert again.to_proto().SerializeToString() == apart.to_proto().SerializeToString()
    assert again.shapes == apart.shapes


def layers_by_rows(model: CanonicalModel, op_type: str) -> list[int]:
    """The rows of each result of an operator."""
    shapes = (model.shapes[str(node.outputs[0].name)] for node in model.model.graph if node.op_type == op_type)
    return [int(shape[-2]) for shape in shapes if len(shape) == 3]


def test_every_layer_behind_a_normalization_is_split():
    file = next(file for file in FIXTURES if file.stem == "timm_torchscript17")
    model = import_onnx(file)
    before, after = (layers_by_rows(each, "LayerNormalization") for each in (model, with_rows_apart(model)))
    whole = max(before)
    assert whole not in after
    assert after.count(1) == before.count(1) + before.count(whole)
    assert after.count(whole - 1) == before.count(whole)


def test_a_model_that_reads_all_rows_stays_whole():
    model = imported(model_of("n = LayerNormalization <axis = -1> (x, gamma, beta) y = MatMul (n, w)"))
    assert with_rows_apart(model).to_proto().SerializeToString() == model.to_proto().SerializeToString()


@pytest.mark.parametrize(("constant", "splits"), [("b8", True), ("table8", False)])
def test_a_constant_that_differs_by_row_ends_the_path(constant, splits):
    model = imported(model_of(f"""
        d = Concat <axis = 1> (x, x) n = LayerNormalization <axis = -1> (d, gamma, beta)
        h = MatMul (n, w) a = Add (h, {constant}) back = MatMul (a, w8)
        mean = ReduceMean <axes = [1]> (back) m = Add (back, mean)
        start = Constant <value_ints = [0]> () end = Constant <value_ints = [1]> () axis = Constant <value_ints = [1]> ()
        y = Slice (m, start, end, axis)"""))  # fmt: skip
    apart = with_rows_apart(model)
    assert sorted(layers_by_rows(apart, "LayerNormalization")) == [1, 7]
    assert sorted(layers_by_rows(apart, "MatMul")) == ([1, 1, 7, 7] if splits else [1, 7, 8])
    images = np.random.default_rng(1).standard_normal((2, 3, 8, 8), dtype=np.float32)
    np.testing.assert_array_equal(run(apart.to_proto(), images)[0], run(model.to_proto(), images)[0])
