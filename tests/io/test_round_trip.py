"""A model file gives back what went in, byte for byte, and is a valid ONNX model of integers only."""

import os
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx
import onnx.inliner
import pytest
from helpers.attention import attention_graph, attention_inputs
from helpers.graphs import model_bytes, op_graph
from helpers.identical import assert_all_identical, assert_identical
from ops.cases import CASES, GENERATORS

import intvit
from intvit import ops
from intvit.errors import InputFileError, OutputFileError, ResourceLimitError
from intvit.io import (
    FORMAT_VERSION,
    IntegerModel,
    KnownAnswer,
    ModelInfo,
    digest,
    load_model,
    model_from_bytes,
    model_to_bytes,
    model_to_proto,
    save_model,
)
from intvit.io.digest import digest_all
from intvit.io.functions import INT_TYPE, function_of
from intvit.io.model import test_pattern as noise
from intvit.ir import GraphError
from intvit.ops import OPS
from intvit.runtime.reference import run_reference

INFO = ModelInfo(
    source_sha256="ab" * 32,
    tool_version="1.2.3",
    recipe="default",
    options={"b": "2", "a": ["x", 1]},
    preprocess={"size": [224, 224], "mean": ["0.5"]},
    labels=("Katze", "犬"),
    output_scales={"logits": Fraction(3, 1 << 20)},
    known_answer=KnownAnswer("00" * 32, {"logits": "0123456789abcdef"}),
    certificate="tightest: 3 bits",
)
MODEL = IntegerModel(attention_graph(), INFO)


def assert_same_graph(a, b):
    assert dict(a.inputs) == dict(b.inputs)
    assert a.outputs == b.outputs
    assert a.nodes == b.nodes
    assert all(dict(m.metadata) == dict(n.metadata) for m, n in zip(a.nodes, b.nodes, strict=True))
    assert_all_identical(a.constants, b.constants)


def test_a_model_comes_back_equal():
    loaded = model_from_bytes(model_to_bytes(MODEL))
    assert_same_graph(MODEL.graph, loaded.graph)
    assert loaded.info == INFO
    assert model_to_bytes(loaded) == model_to_bytes(MODEL)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_operator_comes_back_equal(case):
    loaded = model_from_bytes(model_bytes(case.graph))
    assert_same_graph(case.graph, loaded.graph)
    assert_all_identical(run_reference(loaded.graph, case.inputs), run_reference(case.graph, case.inputs))


def test_an_input_of_several_rows_an_image_comes_back_equal():
    graph = op_graph(ops.Transpose(perm=(0, 1)), {"x": np.zeros((4, 3), np.int8)}, batch=1)
    assert_same_graph(graph, model_from_bytes(model_bytes(graph)).graph)


def test_an_operator_with_an_empty_attribute_comes_back_equal():
    graph = op_graph(ops.Reshape(shape=()), {"x": np.zeros((1, 1), np.int8)}, batch_axis=None)
    assert_same_graph(graph, model_from_bytes(model_bytes(graph)).graph)


def test_constants_of_a_loaded_model_can_not_be_written_to():
    loaded = model_from_bytes(model_to_bytes(MODEL))
    with pytest.raises(ValueError, match="read-only"):
        loaded.graph.constants["position"][0] = 1


def test_save_and_load(tmp_path):
    path = tmp_path / "model.onnx"
    save_model(MODEL, path)
    assert path.read_bytes() == model_to_bytes(MODEL)
    assert_same_graph(load_model(path).graph, MODEL.graph)
    MODEL.save(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]


def test_load_and_save_errors(tmp_path, monkeypatch):
    with pytest.raises(InputFileError, match="no such file"):
        load_model(tmp_path / "absent.onnx")
    with pytest.raises(OutputFileError):
        save_model(MODEL, tmp_path / "absent" / "model.onnx")
    save_model(MODEL, tmp_path / "model.onnx")
    monkeypatch.setattr("intvit.io.read.MAX_FILE_BYTES", 1000)
    with pytest.raises(ResourceLimitError):
        load_model(tmp_path / "model.onnx")


def test_a_faulty_graph_is_not_written():
    with pytest.raises(GraphError):
        model_to_bytes(replace(MODEL, graph=replace(MODEL.graph, outputs=("absent",))))


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from helpers.attention import attention_graph
from helpers.graphs import model_bytes, op_graph
from intvit.io.digest import digest_all
data = model_bytes(attention_graph(), options={name: 1 for name in {"b", "a", "c"}})
sys.stdout.buffer.write(data)
"""


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path):
    tests, package = (os.path.dirname(os.path.dirname(os.path.abspath(p))) for p in (__file__, intvit.__file__))
    made = []
    for seed, folder, zone in (("1", tmp_path, "UTC"), ("2", "/", "Asia/Tokyo")):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": package, "TZ": zone}
        command = [sys.executable, "-c", SCRIPT, tests]
        made.append(subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True).stdout)
    assert made[0] == made[1] == model_bytes(attention_graph(), options={"a": 1, "b": 1, "c": 1})


def integer_types(proto):
    """Every element type that the file mentions, in values, constants and function bodies."""
    graph = proto.graph
    values = [*graph.input, *graph.output, *graph.value_info]
    yield from (value.type.tensor_type.elem_type for value in values)
    yield from (tensor.data_type for tensor in graph.initializer)
    for function in proto.functions:
        for node in function.node:
            for attribute in node.attribute:
                assert not attribute.floats, (function.name, node.op_type)
                assert attribute.type in {
                    onnx.AttributeProto.INT,
                    onnx.AttributeProto.INTS,
                    onnx.AttributeProto.STRING,
                }, (function.name, node.op_type, attribute.name)
                if attribute.name == "to" and not attribute.ref_attr_name:
                    yield attribute.i


INTEGERS = set(INT_TYPE) | {onnx.TensorProto.UINT64, onnx.TensorProto.INT4}


@pytest.mark.parametrize("kind", OPS)
def test_each_operator_makes_a_valid_model_of_integers(kind):
    case = next(GENERATORS[kind]())
    proto = onnx.load_from_string(model_bytes(case.graph))
    onnx.checker.check_model(proto, full_check=True)
    assert set(integer_types(proto)) <= INTEGERS


def test_a_whole_model_is_a_valid_model_of_integers():
    proto = model_to_proto(MODEL)
    onnx.checker.check_model(proto, full_check=True)
    assert set(integer_types(proto)) <= INTEGERS
    inferred = onnx.shape_inference.infer_shapes(proto, strict_mode=True)
    assert len(inferred.graph.value_info) == len(proto.graph.value_info)
    assert [f.name for f in proto.functions] == sorted({node.op.kind() for node in MODEL.graph.nodes})


@pytest.mark.parametrize("kind", OPS)
def test_inferred_element_types_of_bodies_are_integers(kind):
    """ONNX's own inference, through the inlined body, finds no float value."""
    case = next(GENERATORS[kind]())
    inlined = onnx.inliner.inline_local_functions(onnx.load_from_string(model_bytes(case.graph)))
    inferred = onnx.shape_inference.infer_shapes(inlined, strict_mode=True, data_prop=True)
    found = {value.type.tensor_type.elem_type for value in [*inferred.graph.value_info, *inferred.graph.output]}
    assert found <= INTEGERS | {onnx.TensorProto.BOOL}


@pytest.mark.parametrize("kind", OPS)
def test_functions_carry_their_documentation(kind):
    function = function_of(OPS[kind])
    assert function.domain == "ai.intvit"
    assert function.doc_string
    assert {node.domain for node in function.node} == {""}


def test_functions_may_carry_the_documentation_of_another_version():
    proto = model_to_proto(MODEL)
    proto.functions[0].doc_string = "What it said before."
    assert model_from_bytes(proto.SerializeToString()).graph.nodes == MODEL.graph.nodes


def test_metadata_names_its_format():
    assert INFO.to_properties()["intvit.format_version"] == str(FORMAT_VERSION)


def test_digest_depends_on_type_shape_and_values_only():
    a = np.arange(12, dtype=np.int16).reshape(3, 4)
    assert digest(a) == digest(np.asfortranarray(a)) == digest(a.astype(">i2"))
    assert digest(a[:, ::2]) == digest(a[:, ::2].copy())
    others = [a.astype(np.int32), a.astype(np.uint16), a.reshape(4, 3), a + 1]
    assert len({digest(x) for x in [a, *others]}) == 5
    assert digest_all({"a": a, "b": a}) == digest_all({"b": a, "a": a}) != digest_all({"a": a, "c": a})


def test_the_self_test_input_is_fixed():
    assert noise((2, 4)).tolist() == [[0, 158, 60, 218], [120, 23, 181, 83]]
    assert_identical(noise((3, 5)).reshape(-1), noise((15,)))
    assert attention_inputs(2)["pixels"].shape == (2, 4, 8)
