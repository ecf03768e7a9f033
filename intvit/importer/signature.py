"""Check the inputs, outputs and weights of a source model."""

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto

from intvit.errors import InputFileError, UnsupportedModelError
from intvit.importer.read import Source

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_EXPECTED = "one float image input [N, 3, H, W]"
_NHWC = "intvit takes channels first: export with [N, 3, H, W] (or transpose inside the model)"


def check_signature(source: Source) -> None:
    """Check that a model has one fixed-size RGB image input, float outputs, and finite weights.

    Raises:
        UnsupportedModelError: the inputs or outputs are not those of an image model.
        InputFileError: a weight is NaN or infinite.
    """
    graph = source.proto.graph
    image = image_input(graph, source.where)
    _check_dims(_dims(image), image.name, source.where)
    for tensor in graph.initializer:
        _check_finite(tensor, source.where)


def image_input(graph: onnx.GraphProto, where: str) -> onnx.ValueInfoProto:
    """Return the only input of a graph that is not a weight."""
    weights = {t.name for t in graph.initializer}
    inputs = [i for i in graph.input if i.name not in weights]
    if len(inputs) != 1:
        found = ", ".join(_describe(i) for i in inputs) or "no inputs"
        hint = "export only the vision tower, with the image as its only input"
        raise UnsupportedModelError("not an image model", where=where, expected=_EXPECTED, found=found, hint=hint)
    kind = inputs[0].type.tensor_type
    if kind.elem_type not in FLOATS or len(kind.shape.dim) != 4:
        hint = "export the network alone, without decoding, resizing or normalisation"
        found = _describe(inputs[0])
        raise UnsupportedModelError("not an image model", where=where, expected=_EXPECTED, found=found, hint=hint)
    image: onnx.ValueInfoProto = inputs[0]
    return image


def _check_dims(dims: Sequence[int | str], name: str, where: str) -> None:
    at = f"{where}, input {name!r}"
    found = f"[{', '.join(map(str, dims))}]"
    if dims[1] != 3:
        hint = _NHWC if dims[3] == 3 else "only RGB images are supported"
        raise UnsupportedModelError("dim 1 is not 3", where=at, expected=_EXPECTED, found=found, hint=hint)
    for axis, label in ((2, "height"), (3, "width")):
        if not isinstance(dims[axis], int) or int(dims[axis]) < 1:
            hint = "export with a fixed image size: leave dims 2 and 3 out of dynamic_axes"
            message = f"dim {axis} ({label}) is dynamic"
            raise UnsupportedModelError(message, where=at, expected=_EXPECTED, found=found, hint=hint)
    if isinstance(dims[0], int) and dims[0] > 1:
        hint = "export with a batch of 1 or with a dynamic batch"
        raise UnsupportedModelError("the batch is fixed", where=at, expected=_EXPECTED, found=found, hint=hint)


def _check_finite(tensor: onnx.TensorProto, where: str) -> None:
    if tensor.data_type not in FLOATS:
        return
    array = onnx.numpy_helper.to_array(tensor)
    if np.isfinite(array).all():
        return
    is_mask = bool(np.all((array == 0) | np.isneginf(array.astype(np.float32))))
    if not is_mask:
        bad = "NaN" if np.isnan(array).any() else "Inf"
        raise InputFileError(
            "a weight is not finite", where=f"{where}, initializer {tensor.name!r}", expected="finite numbers",
            found=bad, hint="the checkpoint is damaged or its training diverged; use another one",
        )  # fmt: skip


def _dims(value: onnx.ValueInfoProto) -> list[int | str]:
    dims = value.type.tensor_type.shape.dim
    return [d.dim_value if d.HasField("dim_value") else (d.dim_param or "?") for d in dims]


def _describe(value: onnx.ValueInfoProto) -> str:
    kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
    return f"{value.name!r} {kind} [{', '.join(map(str, _dims(value)))}]"
