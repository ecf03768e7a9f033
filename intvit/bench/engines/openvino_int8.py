"""OpenVINO on a model that NNCF quantized."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path

from intvit.bench.engines.built import built_once
from intvit.bench.engines.engine import BenchEngine, Run, Source
from intvit.bench.engines.openvino_session import open_openvino

_FILE = "int8.xml"
_NO_TELEMETRY = "NNCF_CI"


class OpenVinoInt8(BenchEngine):
    """NNCF's post-training quantization for transformers.

    What stays float is computed in the precision that OpenVINO chooses by itself: bfloat16 where the CPU has it, which
    measures faster than asking for float32.
    """

    name = "openvino-int8"
    title = "OpenVINO int8"
    packages = ("openvino", "nncf")
    modules = ("openvino",)

    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the quantized model."""
        return built_once(self, source, folder, partial(_build, source)) / _FILE

    def open(self, model: Path, threads: int, batch: int) -> Run:
        """Return an inference request."""
        return open_openvino(model, threads, batch)


def _build(source: Source, folder: Path) -> None:
    os.environ.setdefault(_NO_TELEMETRY, "1")
    import nncf
    import openvino

    nncf.set_log_level(logging.ERROR)
    images = [image[None] for image in source.calibration]
    quantized = nncf.quantize(
        openvino.Core().read_model(source.required_float_model),
        nncf.Dataset(images),
        subset_size=len(images),
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
    )
    openvino.save_model(quantized, folder / _FILE, compress_to_fp16=False)
