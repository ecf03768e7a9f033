"""Every exporter's spelling becomes the same few operators and computes the same."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from importer_fixtures import EXPORTS, FIXTURES, run

from intvit.importer import CanonicalModel, coverage, import_onnx
from intvit.importer.model import is_helper

CANONICAL = {
    "Conv", "MatMul", "Add", "Mul", "LayerNormalization", "Gelu", "Softmax", "Reshape", "Transpose", "Slice", "Concat",
    "Expand", "ReduceMean",
}  # fmt: skip
SUPPORTED = [file for file in FIXTURES if "quick_gelu" not in file.name]


@pytest.fixture(scope="module", params=FIXTURES, ids=lambda file: file.stem)
def imported(request: pytest.FixtureRequest) -> tuple[Path, CanonicalModel]:
    return request.param, import_onnx(request.param)


def test_there_are_fixtures_of_both_exporters() -> None:
    assert {file.stem.rstrip("0123456789").rsplit("_", 1)[1] for file in FIXTURES} == {"torchscript", "dynamo"}


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_computes_what_the_source_computes(imported: tuple[Path, CanonicalModel], batch: int) -> None:
    file, model = imported
    source = onnx.load(file)
    size = [d.dim_value for d in source.graph.input[0].type.tensor_type.shape.dim[1:]]
    images = np.random.default_rng(batch).standard_normal((batch, *size), dtype=np.float32)
    expected = [np.concatenate(parts) for parts in zip(*(run(source, i[None]) for i in images), strict=True)]
    found = run(model.to_proto(), images)
    assert model.dynamic_batch
    for array, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(array, wanted, rtol=1e-4, atol=1e-4 * np.abs(wanted).max())


def test_holds_only_canonical_operators(imported: tuple[Path, CanonicalModel]) -> None:
    file, model = imported
    if file in SUPPORTED:
        assert {node.op_type for node in model.model.graph if not is_helper(node)} <= CANONICAL
        assert [c for c in coverage(model) if not c.supported] == []


def test_is_a_valid_onnx_model(imported: tuple[Path, CanonicalModel]) -> None:
    onnx.checker.check_model(imported[1].to_proto(), full_check=True)


def test_importing_again_gives_the_same_bytes(imported: tuple[Path, CanonicalModel]) -> None:
    file, model = imported
    again = import_onnx(file.read_bytes())
    assert again.to_proto().SerializeToString() == model.to_proto().SerializeToString()
    assert (again.shapes, again.rules) == (model.shapes, model.rules)
    assert again.source_sha256 == model.source_sha256


def test_every_node_and_value_has_its_own_name_and_shape(imported: tuple[Path, CanonicalModel]) -> None:
    graph = imported[1].to_proto().graph
    nodes = [node.name for node in graph.node]
    values = [v.name for v in (*graph.input, *graph.initializer)] + [name for n in graph.node for name in n.output]
    assert "" not in nodes + values
    assert len(set(nodes)) == len(nodes)
    assert len(set(values)) == len(values)
    assert set(imported[1].shapes) == set(values)


def test_signature_is_kept(imported: tuple[Path, CanonicalModel]) -> None:
    file, model = imported
    source, graph = onnx.load(file).graph, model.to_proto().graph
    assert [v.name for v in graph.input] == [v.name for v in source.input]
    assert [v.name for v in graph.output] == [v.name for v in source.output]
    assert model.shapes[graph.input[0].name] == ("N", 3, 16, 16)
    assert all(model.shapes[v.name] == ("N", 10) for v in graph.output)


def test_shapes_hold_for_a_batch_of_three(imported: tuple[Path, CanonicalModel]) -> None:
    file, model = imported
    proto = model.to_proto()
    constants = {t.name for t in proto.graph.initializer}
    names = [name for node in proto.graph.node for name in node.output if name not in constants]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in names]
    del proto.graph.output[:], proto.graph.value_info[:]
    proto.graph.output.extend(outputs)
    for name, array in zip(names, run(proto, np.zeros((3, 3, 16, 16), np.float32)), strict=True):
        assert array.shape == tuple(_at_batch(dim, 3) for dim in model.shapes[name]), (file.stem, name)


def _at_batch(dim: int | str, batch: int) -> int:
    return dim if isinstance(dim, int) else int(dim.removesuffix("N").removesuffix("*") or 1) * batch


@pytest.mark.parametrize(
    ("name", "rule", "count"),
    [
        ("timm_torchscript14", "layer_norm_decomposed", 5),
        ("timm_torchscript17", "layer_norm_fused", 5),
        ("timm_torchscript17", "gelu_erf", 2),
        ("chunk_gap_torchscript17", "gelu_erf", 2),
        ("index_distilled_torchscript17", "gelu_erf", 2),
        ("registers_tanh_torchscript14", "gelu_tanh", 2),
        ("written_torchscript13", "gelu_tanh", 2),
        ("written_fast_torchscript16", "gelu_tanh", 2),
        ("written_dynamo18", "layer_norm_decomposed", 5),
        ("timm_dynamo23", "attention", 2),
        ("timm_torchscript17", "split", 2),
        ("timm_unfused_torchscript11", "flattened_softmax", 2),
        ("torchvision_dynamo18", "flattened_linear", 2),
    ],
)
def test_says_which_spelling_it_saw(name: str, rule: str, count: int) -> None:
    assert import_onnx(EXPORTS / f"{name}.onnx").rules[rule] == count


def test_quick_gelu_is_reported() -> None:
    bad = [c for c in coverage(import_onnx(EXPORTS / "quick_gelu_torchscript17.onnx")) if not c.supported]
    assert [c.op_type for c in bad] == ["Sigmoid", "Mul"] * 2
    assert "quick-GELU" in bad[1].reason
    assert all(c.hint for c in bad)


def test_module_paths_are_in_the_names_of_dynamo_nodes() -> None:
    names = [node.name for node in import_onnx(EXPORTS / "timm_dynamo18.onnx").model.graph]
    assert any((name or "").startswith("blocks.0.attn.qkv/") for name in names)
