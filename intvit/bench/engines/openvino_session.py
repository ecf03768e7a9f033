"""How the benchmark opens a model in OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from intvit.bench.engines.engine import Array, Run


def open_openvino(model: Path, threads: int, batch: int, **settings: str) -> Run:
    """Return the function that runs a model on the CPU, compiled for exactly this batch and for latency.

    Threads are not pinned to cores: that is as fast on an idle machine, and does not suffer from who else uses those cores.

    Args:
        model: an ONNX file, or OpenVINO's `.xml`.
        threads: how many threads compute.
        batch: the images of every run.
        **settings: more of OpenVINO's settings.
    """
    import openvino

    core = openvino.Core()
    loaded = core.read_model(model)
    image = loaded.inputs[0]
    _, *dims = image.get_partial_shape()
    loaded.reshape({image: openvino.PartialShape([batch, *dims])})
    latency = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    request = core.compile_model(loaded, "CPU", latency | settings).create_infer_request()

    def run(images: Array) -> Any:
        return request.infer([images], share_inputs=True, share_outputs=True)

    return run
