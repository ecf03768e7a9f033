"""Shared pieces of the importer's tests."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime

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
