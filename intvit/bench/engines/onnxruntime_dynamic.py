"""ONNX Runtime on a dynamically quantized model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from intvit.bench.engines.built import built_once
from intvit.bench.engines.engine import Source
from intvit.bench.engines.onnxruntime_session import OnnxRuntimeEngine, preprocessed

_FILE = "dynamic.onnx"


class OnnxRuntimeDynamic(OnnxRuntimeEngine):
    """Int8 weights; the ranges of activations are found anew in every run."""

    name = "onnxruntime-dynamic"
    title = "ONNX Runtime int8 dynamic"

    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the quantized model."""
        return built_once(self, source, folder, partial(_build, source)) / _FILE


def _build(source: Source, folder: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    ready = preprocessed(source.required_float_model, folder)
    quantize_dynamic(ready, folder / _FILE, weight_type=QuantType.QInt8)
    ready.unlink()
