"""ONNX Runtime on the float model."""

from __future__ import annotations

from pathlib import Path

from intvit.bench.engines.engine import Source
from intvit.bench.engines.onnxruntime_session import OnnxRuntimeEngine


class OnnxRuntimeFp32(OnnxRuntimeEngine):
    """The user's float file, untouched."""

    name = "onnxruntime-fp32"
    title = "ONNX Runtime fp32"

    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the float model as it is."""
        return source.required_float_model
