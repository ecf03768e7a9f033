"""What the ONNX Runtime engines share: how a model is opened, and how it is made ready for quantization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from intvit.bench.engines.engine import Array, BenchEngine, Run


class OnnxRuntimeEngine(BenchEngine):
    """ONNX Runtime on whatever model `prepare` returns."""

    packages = ("onnxruntime",)
    modules = ("onnxruntime",)

    def open(self, model: Path, threads: int, batch: int) -> Run:
        """Return an ONNX Runtime session."""
        return open_onnxruntime(model, threads)


def open_onnxruntime(model: Path, threads: int) -> Run:
    """Return the function that runs a model on the CPU with all graph optimizations.

    The threads wait busily inside a run, as by default, but not after it, where they would slow down whoever runs next.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(images: Array) -> Any:
        return session.run(None, {name: images})

    return run


def preprocessed(model: Path, folder: Path) -> Path:
    """Return a model with the shape inference and graph optimization that ONNX Runtime's quantizer asks for."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    output = folder / "preprocessed.onnx"
    quant_pre_process(model, output)
    return output


class CalibrationImages:
    """Images, one after another, in the form that ONNX Runtime's quantizer reads."""

    def __init__(self, name: str, images: Array) -> None:
        self._name = name
        self._images = iter(images)

    def get_next(self) -> dict[str, Array] | None:
        """Return the next batch of one image, or None."""
        image = next(self._images, None)
        return None if image is None else {self._name: image[np.newaxis]}
