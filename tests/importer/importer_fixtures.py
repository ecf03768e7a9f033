"""Shared pieces of the importer's tests."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper, parser

from intvit.importer import CanonicalModel, import_onnx

EXPORTS = Path(__file__).parent.parent / "data" / "exports"
FIXTURES = sorted(EXPORTS.glob("*.onnx"))


def run(proto: onnx.ModelProto, images: np.ndarray) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: images})


def small_model() -> onnx.ModelProto:
    """The smallest exported model, to be damaged."""
    return onnx.load(EXPORTS / "timm_dynamo20.onnx")


WEIGHTS = {
    "w": (12, 8), "wt": (8, 12), "b8": (8,), "b": (12,), "gamma": (12,), "beta": (12,), "token": (1, 1, 12),
    "kernel": (12, 3, 4, 4), "table": (1, 4, 12), "table8": (1, 8, 8), "w8": (8, 8),
}  # fmt: skip
HEAD = """
 patches = Conv <kernel_shape = [4, 4], strides = [4, 4]> (image, kernel)
 flat_dims = Constant <value_ints = [0, 12, 4]> ()
 flat = Reshape (patches, flat_dims)
 x = Transpose <perm = [0, 2, 1]> (flat)
"""


def model_of(body: str, opset: int = 17, result: str = "y", batch: str = "batch") -> onnx.ModelProto:
    """A patch embedding to x [N, 4, 12], then a body that computes a result from x and the weights."""
    text = f"""<ir_version: 8, opset_import: ["" : {opset}]>
    vit (float[{batch}, 3, 8, 8] image) => (float[] {result}) {{ {HEAD} {body} }}"""
    model = parser.parse_model(text)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    used = {name for node in model.graph.node for name in node.input}
    rng = np.random.default_rng(1)
    for name, dims in WEIGHTS.items():
        if name in used:
            array = rng.standard_normal(dims).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(array, name))
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    del model.graph.value_info[:]
    return model


def imported(source: onnx.ModelProto, batch: int = 3, tolerance: float = 1e-5) -> CanonicalModel:
    model = import_onnx(source.SerializeToString())
    images = np.random.default_rng(2).standard_normal((batch, 3, 8, 8), dtype=np.float32)
    wanted = np.concatenate([run(source, i[None])[0] for i in images])
    found = run(model.to_proto(), images)[0]
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())
    return model
