"""Every way to run an integer graph, by name: `run(graph, inputs) -> outputs by name`."""

import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from helpers.graphs import model_bytes
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference


def run_numba(graph, inputs):
    return Engine(graph).run(inputs)


def run_onnxruntime(graph, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model_bytes(graph), options, providers=["CPUExecutionProvider"])
    return dict(zip(graph.outputs, session.run(list(graph.outputs), dict(inputs)), strict=True))


def run_onnx_reference(graph, inputs):
    evaluator = ReferenceEvaluator(onnx.load_from_string(model_bytes(graph)))
    return dict(zip(graph.outputs, evaluator.run(list(graph.outputs), dict(inputs)), strict=True))


EXECUTORS = {
    "reference": run_reference,
    "numba": run_numba,
    "onnxruntime": run_onnxruntime,
    "onnx.reference": run_onnx_reference,
}
