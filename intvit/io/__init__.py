"""The file format: an integer graph as an ONNX model whose operators carry their own integer definition."""

from intvit.io.digest import digest
from intvit.io.model import FORMAT_VERSION, IntegerModel, KnownAnswer, ModelInfo
from intvit.io.read import load_model, model_from_bytes
from intvit.io.write import model_to_bytes, model_to_proto, save_model

__all__ = [
    "FORMAT_VERSION",
    "IntegerModel",
    "KnownAnswer",
    "ModelInfo",
    "digest",
    "load_model",
    "model_from_bytes",
    "model_to_bytes",
    "model_to_proto",
    "save_model",
]
