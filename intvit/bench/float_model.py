"""What the benchmark needs to know of the float model, above all how many multiply-accumulates it spells out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import onnx_ir as ir

from intvit.importer.prepare import prepare
from intvit.importer.read import read_onnx
from intvit.importer.rewrite import Editor, known_dims
from intvit.importer.rules import ALL_RULES
from intvit.importer.signature import check_signature


@dataclass(frozen=True)
class FloatModelFacts:
    """What the benchmark needs to know of a float model.

    Attributes:
        sha256: digest of the model with all its weights.
        macs: the multiply-accumulates of one image, before anything is left out that no output needs.
        image_size: height and width of its images.
    """

    sha256: str
    macs: int
    image_size: tuple[int, int]


def measure_float_model(path: str | Path) -> FloatModelFacts:
    """Read a float model and count its multiply-accumulates.

    Args:
        path: an ONNX file.

    Raises:
        InputFileError: the file is missing or is not valid ONNX.
        UnsupportedModelError: it is not a float image model of fixed image size.
        ResourceLimitError: it is larger than 2 GiB.
    """
    source = read_onnx(path)
    check_signature(source)
    model = prepare(source)
    _, _, height, width = known_dims(model.graph.inputs[0])
    editor = Editor(model)
    editor.run(ALL_RULES)
    digest = hashlib.sha256(source.serialized).hexdigest()
    return FloatModelFacts(digest, sum(_macs(node) for node in editor.graph), (height, width))


def _macs(node: ir.Node) -> int:
    """Return the product of the output's size and of the terms that each of its values sums up."""
    if node.op_type not in ("Conv", "Gemm", "MatMul"):
        return 0
    left, right = (known_dims(value) for value in node.inputs[:2] if value is not None)
    if node.op_type == "Conv":
        terms = math.prod(right[1:])
    elif node.op_type == "Gemm" and node.attributes.get_int("transA"):
        terms = left[0]
    else:
        terms = left[-1]
    return math.prod(known_dims(node.outputs[0])) * terms
