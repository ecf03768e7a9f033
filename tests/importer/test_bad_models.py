"""What is no float image model ends in one typed error that says where, what and what next."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from importer_fixtures import EXPORTS, small_model
from onnx import TensorProto, helper, numpy_helper

from intvit.errors import InputFileError, IntvitError, ResourceLimitError, UnsupportedModelError
from intvit.importer import import_onnx


def refused(
    model: onnx.ModelProto | bytes | Path, kind: type[IntvitError] | tuple[type[IntvitError], ...], *texts: str
) -> IntvitError:
    source = model.SerializeToString() if isinstance(model, onnx.ModelProto) else model
    with pytest.raises(kind) as caught:
        import_onnx(source)
    for text in texts:
        assert text in str(caught.value)
    assert caught.value.where
    assert caught.value.hint
    return caught.value


def test_missing_file(tmp_path: Path) -> None:
    refused(tmp_path / "no.onnx", InputFileError, "no.onnx", "no such file")


def test_directory(tmp_path: Path) -> None:
    refused(tmp_path, InputFileError, "a directory")


@pytest.mark.parametrize(
    "data",
    [b"", b"import torch\nprint('hello')\n", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(64), b"\x08\x08", b"PK\x03\x04"],
    ids=["empty", "text", "png", "zeros", "header", "zip"],
)
def test_other_formats(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "model.onnx"
    file.write_bytes(data)
    refused(file, InputFileError, "model.onnx", "expected")


@pytest.mark.parametrize("part", [0.01, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file(part: float) -> None:
    data = (EXPORTS / "timm_dynamo20.onnx").read_bytes()
    refused(data[: int(len(data) * part)], InputFileError)


def test_file_over_two_gib(tmp_path: Path) -> None:
    file = tmp_path / "huge.onnx"
    with file.open("wb") as stream:
        stream.truncate(2**31 + 1)
    refused(file, ResourceLimitError, "2 GiB")


def test_external_data(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(small_model(), str(file), **options)
    assert (
        import_onnx(file).to_proto().SerializeToString()
        == import_onnx(small_model().SerializeToString()).to_proto().SerializeToString()
    )
    refused(file.read_bytes(), InputFileError, "in another file")
    (tmp_path / "weights.bin").write_bytes(b"short")
    refused(file, InputFileError, "weights.bin")
    (tmp_path / "weights.bin").unlink()
    refused(file, InputFileError, "weights.bin")


def test_external_data_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(10**6))
    folder = tmp_path / "model"
    folder.mkdir()
    file = folder / "model.onnx"
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save(small_model(), str(file), **options)
    file.write_bytes(file.read_bytes().replace(b"weights.bin", b"../secr.bin"))
    refused(file, InputFileError)


def test_no_input() -> None:
    model = small_model()
    del model.graph.input[:]
    refused(model, (InputFileError, UnsupportedModelError))


def test_several_inputs() -> None:
    model = small_model()
    model.graph.input.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 16]))
    refused(model, UnsupportedModelError, "'mask'", "one float image input")


@pytest.mark.parametrize(
    ("dims", "texts"),
    [
        ([1, 3, 16], ["[1, 3, 16]"]),
        ([1, 16, 16, 3], ["dim 1 is not 3", "channels first"]),
        ([1, 1, 16, 16], ["dim 1 is not 3", "RGB"]),
        ([1, 3, "height", 16], ["dim 2 (height) is dynamic", "fixed image size"]),
        ([1, 3, 16, None], ["dim 3 (width) is dynamic"]),
        ([8, 3, 16, 16], ["the batch is fixed", "batch of 1"]),
    ],
)
def test_dims_of_the_input(dims: list[int | str | None], texts: list[str]) -> None:
    model = small_model()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", TensorProto.FLOAT, dims))
    refused(_without_inference(model), UnsupportedModelError, *texts)


def test_type_of_the_input() -> None:
    model = small_model()
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    refused(_without_inference(model), UnsupportedModelError, "uint8")


@pytest.mark.parametrize(("bad", "name"), [(np.nan, "NaN"), (np.inf, "Inf"), (-np.inf, "Inf")])
def test_weights_that_are_not_finite(bad: float, name: str) -> None:
    model = small_model()
    weight = next(t for t in model.graph.initializer if t.name == "blocks.1.attn.qkv.bias")
    array = numpy_helper.to_array(weight).copy()
    array[3] = bad
    weight.CopyFrom(numpy_helper.from_array(array, weight.name))
    refused(model, InputFileError, "'blocks.1.attn.qkv.bias'", name)


def test_quantized_model() -> None:
    model = small_model()
    scale = numpy_helper.from_array(np.float32(0.1), "scale")
    node = helper.make_node("QuantizeLinear", [model.graph.input[0].name, "scale"], ["codes"], name="quantize_it")
    model.graph.initializer.append(scale)
    model.graph.node.append(node)
    refused(model, UnsupportedModelError, "quantized already", "quantize_it", "float model")


@pytest.mark.parametrize(("opset", "text"), [(9, "too old"), (10, "opset 10"), (99, "too new")])
def test_opset(opset: int, text: str) -> None:
    model = small_model()
    model.opset_import[0].version = opset
    refused(model, UnsupportedModelError, text, f"opset {opset}")


def test_invalid_onnx() -> None:
    model = small_model()
    model.graph.node[3].input[0] = "nowhere"
    refused(model, InputFileError, "not valid ONNX", "nowhere")


def test_unknown_attribute_or_operator() -> None:
    model = small_model()
    model.graph.node[3].op_type = "Frobnicate"
    refused(model, InputFileError, "Frobnicate")


def test_inconsistent_shapes() -> None:
    model = small_model()
    bias = next(t for t in model.graph.initializer if t.name == "blocks.0.attn.qkv.bias")
    bias.CopyFrom(numpy_helper.from_array(np.ones(7, np.float32), bias.name))
    refused(model, (InputFileError, UnsupportedModelError))


def _without_inference(model: onnx.ModelProto) -> onnx.ModelProto:
    del model.graph.value_info[:]
    return model


def test_reshape_that_can_not_be() -> None:
    model = small_model()
    target = next(t for t in model.graph.initializer if t.name == model.graph.node[1].input[1])
    target.CopyFrom(numpy_helper.from_array(np.array([1, 24, 7], np.int64), target.name))
    refused(model, (InputFileError, UnsupportedModelError))


def test_outputs_that_are_not_finite() -> None:
    model = small_model()
    weight = next(t for t in model.graph.initializer if t.name == "heads.0.weight")
    weight.CopyFrom(numpy_helper.from_array(np.full((10, 24), 3e38, np.float32), weight.name))
    refused(model, InputFileError, "output", "not finite")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_never_end_in_a_traceback(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray((EXPORTS / "timm_dynamo20.onnx").read_bytes())
    for position in rng.integers(0, 12000, size=3):
        data[position] = rng.integers(0, 256)
    try:
        import_onnx(bytes(data))
    except IntvitError as error:
        assert "the importer failed" not in error.message
