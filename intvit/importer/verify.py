"""Check in ONNX Runtime that a canonical graph computes what its source does."""

from typing import Any

import numpy as np
import onnx

from intvit.errors import InputFileError
from intvit.importer.read import Source
from intvit.importer.rewrite import Array
from intvit.importer.signature import image_input

_HALF = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
_TOLERANCE = 1e-3
_TOLERANCE_HALF = 3e-2


class SourceRun:
    """The outputs of a source model for two random images, computed once, one image at a time.

    Attributes:
        images: the two images, float32 [2, 3, H, W].
        outputs: each floating-point output by name, for each image; None if ONNX Runtime can't run the source.
    """

    def __init__(self, source: Source) -> None:
        image = image_input(source.proto.graph, source.where)
        height, width = (d.dim_value for d in image.type.tensor_type.shape.dim[2:])
        self.images = np.random.default_rng(0).standard_normal((2, 3, height, width), dtype=np.float32)
        kind = image.type.tensor_type.elem_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
        kinds = {kind} | {t.data_type for t in source.proto.graph.initializer}
        self._tolerance = _TOLERANCE_HALF if kinds & {*_HALF} else _TOLERANCE
        self.outputs: list[dict[str, Array]] | None = None
        session = _session(source.serialized)
        if session is not None:
            try:
                self.outputs = [_run(session, image.name, i[None].astype(dtype)) for i in self.images]
            except Exception as error:
                found = str(error).strip().splitlines()[0]
                hint = "the file may be damaged: export the model again"
                raise InputFileError("the model does not run", where=source.where, found=found, hint=hint) from error
            self._check_finite(source.where)

    def _check_finite(self, where: str) -> None:
        for outputs in self.outputs or []:
            for name, array in outputs.items():
                if array.dtype.kind == "f" and not np.isfinite(array).all():
                    raise InputFileError(
                        "an output of the model is not finite", where=f"{where}, output {name!r}",
                        expected="finite numbers for a random image", found="NaN or Inf", hint="use another checkpoint",
                    )  # fmt: skip

    def largest_batch(self, serialized: bytes) -> int:
        """Return how many images another model can take at once with the same outputs: 0 if it is wrong, 1 or 2."""
        if self.outputs is None:
            return 1
        session = _session(serialized)
        for batch in (2, 1):
            if session is not None and self._agrees(session, batch):
                return batch
        return 0

    def _agrees(self, session: Any, batch: int) -> bool:
        try:
            found = _run(session, session.get_inputs()[0].name, self.images[:batch])
        except Exception:
            return False
        return self.outputs is not None and all(
            self._close(array[i : i + 1], expected[name])
            for i, expected in enumerate(self.outputs[:batch])
            for name, array in found.items()
        )

    def _close(self, found: Array, expected: Array) -> bool:
        if found.shape != expected.shape:
            return False
        wanted = expected.astype(np.float64)
        return bool(np.max(np.abs(found - wanted), initial=0.0) <= self._tolerance * np.max(np.abs(wanted)) + 1e-5)


def _session(serialized: bytes) -> Any | None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    try:
        return onnxruntime.InferenceSession(serialized, options, providers=["CPUExecutionProvider"])
    except Exception:
        return None


def _run(session: Any, name: str, images: Array) -> dict[str, Array]:
    names = [o.name for o in session.get_outputs()]
    return dict(zip(names, session.run(names, {name: images}), strict=True))
