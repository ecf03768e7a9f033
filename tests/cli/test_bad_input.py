"""Whatever is wrong with the input: a text that says so, the right exit status, no traceback, nothing half-written."""

import io
import json
import os
import resource
import struct
import zlib

import numpy as np
import onnx
import pytest
from cli_fixtures import CALIBRATION, FLOAT, MODELS, PREPROCESS, SAMPLES, fail, intvit, quantize_arguments, write_labels
from PIL import Image

SAMPLE = SAMPLES / "digit_3_2.png"


def write(path, data):
    path.write_bytes(data)
    return path


def png_header(width, height):
    """A PNG that claims a size and holds no pixels."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IEND\xaeB`\x82"


def animation():
    frames = [Image.fromarray(np.full((8, 8, 3), v, np.uint8)) for v in (0, 255)]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    return file.getvalue()


def tiny():
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")
    return file.getvalue()


BAD_IMAGES = {
    "text": (b"not an image", 3, "not an image that can be read"),
    "truncated": (SAMPLE.read_bytes()[:200], 3, "damaged"),
    "animated": (animation(), 3, "animated"),
    "huge": (png_header(20_000, 20_000), 5, "too large"),
    "tiny": (tiny(), 3, "too small"),
}


@pytest.mark.parametrize("kind", BAD_IMAGES)
def test_run_names_a_bad_image(kind, model, tmp_path):
    data, status, says = BAD_IMAGES[kind]
    image = write(tmp_path / "image.png", data)
    fail(status, "run", model, SAMPLE, image, says=(says, str(image)))


def test_missing_image(model, tmp_path):
    fail(3, "run", model, tmp_path / "none.png", says="no such file")


@pytest.mark.parametrize("command", ["run", "inspect", "verify"])
def test_float_model_where_an_integer_model_is_needed(command):
    fail(3, command, FLOAT, *([SAMPLE] if command == "run" else []), says=("is not an integer model", "intvit quantize"))


@pytest.mark.parametrize("kind", ["text", "image", "empty", "folder", "missing", "truncated"])
def test_what_is_no_integer_model(kind, model, tmp_path):
    data = {"text": b"hello\n" * 100, "image": SAMPLE.read_bytes(), "empty": b"", "truncated": model.read_bytes()[:100_000]}
    path = tmp_path if kind == "folder" else tmp_path / "model.onnx"
    if kind in data:
        write(path, data[kind])
    fail(3, "run", path, SAMPLE, says=str(path))


@pytest.mark.parametrize("kind", ["text", "image", "truncated"])
def test_what_is_no_float_model(kind, tmp_path):
    data = {"text": b"hello\n" * 100, "image": SAMPLE.read_bytes(), "truncated": FLOAT.read_bytes()[:100_000]}
    path, output = write(tmp_path / "model.onnx", data[kind]), tmp_path / "out.onnx"
    fail(3, *quantize_arguments(output, path), says=str(path))
    assert not output.exists()


def test_integer_model_where_a_float_model_is_needed(model, tmp_path):
    fail(4, *quantize_arguments(tmp_path / "out.onnx", model), says="integer model already")
    assert not (tmp_path / "out.onnx").exists()


@pytest.fixture
def unsupported(tmp_path):
    proto = onnx.load(FLOAT)
    gelu = next(node for node in proto.graph.node if node.op_type == "Erf")
    gelu.op_type = "Cos"
    onnx.save(proto, tmp_path / "cos.onnx")
    return tmp_path / "cos.onnx", gelu.name


def test_unsupported_operator(unsupported, tmp_path):
    path, name = unsupported
    fail(4, *quantize_arguments(tmp_path / "out.onnx", path), says=(name, "Cos has no integer form"))
    assert not (tmp_path / "out.onnx").exists()
    done = intvit("coverage", path, "--json")
    assert done.returncode == 4
    result = json.loads(done.stdout)
    assert result["supported"] is False
    row = next(row for row in result["unsupported"] if row["op_type"] == "Cos")
    assert row["node"] == name
    assert row["reason"]
    assert row["hint"]
    assert intvit("coverage", path).returncode == 4


@pytest.mark.parametrize("kind", ["empty", "missing", "file", "bad image"])
def test_calibration_folder(kind, tmp_path):
    folder, output = tmp_path / "calib", tmp_path / "out.onnx"
    if kind == "file":
        folder.write_text("")
    elif kind != "missing":
        folder.mkdir()
    if kind == "bad image":
        write(folder / "x.png", b"not an image")
    fail(3, *quantize_arguments(output, FLOAT, folder), says=str(folder))
    assert not output.exists()


def test_image_of_the_wrong_size(tmp_path):
    values = json.loads(PREPROCESS.read_text()) | {"resize_size": None}
    preprocess, model = tmp_path / "preprocess.json", tmp_path / "model.onnx"
    preprocess.write_text(json.dumps(values))
    small = write(tmp_path / "small.png", b"")
    Image.new("RGB", (16, 16)).save(small)
    assert intvit(*quantize_arguments(model), "--preprocess", preprocess).returncode == 0
    fail(3, "run", model, small, says=("the image has the wrong size", str(small), "32 x 32"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("image,class\n", "the header is wrong"),
        ("file,label\nnone.png,3\n", "doesn't exist"),
        ("file,label\ndigit_3_2.png,10\n", "the model has no such class"),
        ("file,label\n", "there are no labels"),
    ],
)
def test_labels_that_do_not_fit(text, says, model, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text(text)
    fail(3, "eval", model, "--images", SAMPLES, "--labels", labels, says=(says, str(labels)))


def test_class_names_that_do_not_fit(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("one\ntwo\n")
    fail(3, *quantize_arguments(tmp_path / "out.onnx"), "--labels", names, says=("class names", "10 lines"))


def test_float_model_of_another_integer_model(model, tmp_path):
    proto = onnx.load(FLOAT)
    kept = {"input", "logits", ""} | {tensor.name for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        for names in (node.input, node.output):
            names[:] = [name if name in kept else f"other{name}" for name in names]
    onnx.save(proto, tmp_path / "other.onnx")
    arguments = ("compare", tmp_path / "other.onnx", model, "--images", SAMPLES, "--limit", 1)
    fail(2, *arguments, says=("was made from another file", "was not made from this float model"))


def test_output_in_a_missing_folder(tmp_path):
    fail(3, *quantize_arguments(tmp_path / "none" / "out.onnx"), says="create the folder first")


def test_output_is_a_folder(tmp_path):
    fail(3, *quantize_arguments(tmp_path), says="refusing to replace")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_output_in_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    fail(3, *quantize_arguments(tmp_path / "out.onnx"), says="choose a place you may write to")


def test_output_would_replace_the_source(tmp_path):
    copy = write(tmp_path / "float.onnx", FLOAT.read_bytes())
    fail(2, *quantize_arguments(copy, copy), says="would replace the float model")
    assert copy.read_bytes() == FLOAT.read_bytes()


def test_disk_full(tmp_path):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    fail(3, *quantize_arguments(tmp_path / "out.onnx"), says="can't write this file", preexec_fn=limit)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "required: COMMAND"),
        (("fly",), "invalid choice: 'fly'"),
        (("run",), "required: MODEL.onnx, IMAGE"),
        (("run", "m.onnx", "x.png", "--top", "0"), "not a whole number from 1 on"),
        (("run", "m.onnx", "x.png", "--to", "1"), "unrecognized arguments"),
        (("verify", "m.onnx", "--with", "c"), "the C export does not exist yet"),
        (("verify", "m.onnx", "--with", "reference,tpu"), "no such executor"),
        (quantize_arguments("/nowhere/out.onnx", FLOAT, CALIBRATION, "--recipe", "magic"), "no such recipe"),
        (quantize_arguments("/nowhere/out.onnx", FLOAT, CALIBRATION, "--weight-bits", 11), "no recipe has so many bits"),
        (quantize_arguments("/nowhere/out.onnx", FLOAT, CALIBRATION, "--weight-bits", 9), "only weights that meet codes of 16"),
        (quantize_arguments("/nowhere/out.onnx", FLOAT, CALIBRATION, "--act-bits", 16), "no recipe has so many bits"),
    ],
)
def test_usage(arguments, says):
    fail(2, *arguments, says=says)


def test_unknown_preprocessing(tmp_path):
    fail(2, *quantize_arguments(tmp_path / "out.onnx"), "--preprocess", "clip", says="no such way of preprocessing")


def test_errors_as_json(model, tmp_path):
    for arguments, status, code in (
        (("run", FLOAT, SAMPLE), 3, "bad_input_file"),
        (("verify", model, "--with", "c"), 2, "usage"),
        (("run", "--top"), 2, "usage"),
    ):
        done = intvit(*arguments, "--json")
        assert done.returncode == status
        assert json.loads(done.stdout)["error"] == code
        assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize("command", ["quantize", "eval", "coverage", "verify"])
def test_missing_extra(command, model, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['onnxruntime'] = None\n")
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(MODELS.parent)])}
    labels = write_labels(tmp_path / "labels.csv")
    arguments = {
        "quantize": quantize_arguments(tmp_path / "out.onnx"),
        "eval": ("eval", model, "--images", SAMPLES, "--labels", labels, "--float", FLOAT),
        "coverage": ("coverage", FLOAT),
        "verify": ("verify", model, "--with", "onnxruntime"),
    }[command]
    fail(2, *arguments, says="pip install 'intvit[quantize]'", env=env)


def test_verify_goes_on_without_an_executor_that_is_not_installed(model, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['onnxruntime'] = None\n")
    done = intvit("verify", model, "--json", env={"PYTHONPATH": os.pathsep.join([str(tmp_path), str(MODELS.parent)])})
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)["executors"]) == ["reference", "numba", "onnx"]
    assert "onnxruntime is not installed" in done.stderr
