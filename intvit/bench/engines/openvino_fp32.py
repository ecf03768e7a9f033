"""OpenVINO on the float model."""

from __future__ import annotations

from pathlib import Path

from intvit.bench.engines.engine import BenchEngine, Run, Source
from intvit.bench.engines.openvino_session import open_openvino


class OpenVinoFp32(BenchEngine):
    """The user's float file, computed in float32 even where the CPU has bfloat16."""

    name = "openvino-fp32"
    title = "OpenVINO fp32"
    packages = ("openvino",)
    modules = ("openvino",)

    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the float model as it is."""
        return source.required_float_model

    def open(self, model: Path, threads: int, batch: int) -> Run:
        """Return an inference request."""
        return open_openvino(model, threads, batch, INFERENCE_PRECISION_HINT="f32")
