"""ONNX Runtime on a statically quantized model in QDQ form."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import onnx

from intvit.bench.engines.built import built_once
from intvit.bench.engines.engine import Source
from intvit.bench.engines.onnxruntime_session import CalibrationImages, OnnxRuntimeEngine, preprocessed

_FILE = "qdq.onnx"


class OnnxRuntimeQdq(OnnxRuntimeEngine):
    """Static quantization as ONNX Runtime's documentation has it for x86: uint8 activations, int8 weights per channel."""

    name = "onnxruntime-qdq"
    title = "ONNX Runtime int8 QDQ"

    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the quantized model."""
        return built_once(self, source, folder, partial(_build, source)) / _FILE


def _build(source: Source, folder: Path) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    ready = preprocessed(source.required_float_model, folder)
    name = onnx.load(ready, load_external_data=False).graph.input[0].name
    quantize_static(
        ready,
        folder / _FILE,
        CalibrationImages(name, source.calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    ready.unlink()
