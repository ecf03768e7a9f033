"""ONNX Runtime on the float model."""

from __future__ import annotations

from pathlib import Path

from intvit.bench.engines.engine import BenchEngine, Run, Source
from intvit.bench.engines.onnxruntime_session import open_onnxruntime


class OnnxRuntimeFp32(BenchEngine):
    """The user's float file, untouched."""

    name = "onnxruntime-fp32"
    title = "ONNX Runtime fp32"
    packages = ("onnxruntime",)
    modules = ("onnxruntime",)

    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the float model as it is."""
        return source.required_float_model

    def open(self, model: Path, threads: int, batch: int) -> Run:
        """Return an ONNX Runtime session."""
        return open_onnxruntime(model, threads)
