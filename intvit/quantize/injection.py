"""What an error at one value does to the outputs of the float model: the graph is cut there and run on with the error in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.quantize.calibrate import float_session, open_session

Array = NDArray[Any]


def rest_after(model: CanonicalModel, value: str) -> tuple[Any, list[str]]:
    """Return a session on the nodes that come after a value's, and the values that it takes, `value` among them."""
    proto = model.to_proto()
    crossing = _crossing(proto, value)
    del proto.graph.node[: _end(proto, value)]
    del proto.graph.input[:]
    proto.graph.input.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in crossing)
    return open_session(proto), crossing


def share_after(model: CanonicalModel, value: str) -> float:
    """Return which share of a model's nodes comes after a value's, above 0."""
    proto = model.to_proto()
    return 1 - (_end(proto, value) - 1) / len(proto.graph.node)


def _crossing(proto: onnx.ModelProto, value: str) -> list[str]:
    """Return what the nodes after a value's read of what is made up to there."""
    nodes, end = list(proto.graph.node), _end(proto, value)
    made = {name for node in nodes[:end] for name in node.output} | {v.name for v in proto.graph.input}
    return sorted(made & {name for node in nodes[end:] for name in node.input})


def _end(proto: onnx.ModelProto, value: str) -> int:
    return next(i for i, node in enumerate(proto.graph.node) if value in node.output) + 1


class Injection:
    """The float model with all that is needed to run it on from some of its values, for one image at a time.

    Args:
        model: the canonical float model.
        values: where errors will be injected.
        watched: further values that changes are made from.
        images: the model's input, float32 [N, 3, H, W].
    """

    def __init__(self, model: CanonicalModel, values: Sequence[str], watched: Sequence[str], images: Array) -> None:
        self._model = model
        self._outputs = [str(value.name) for value in model.model.graph.outputs]
        proto = model.to_proto()
        kept = {name for value in values for name in (value, *_crossing(proto, value))}
        names = sorted({*self._outputs, *watched, *kept})
        session = float_session(model, names)
        feed = session.get_inputs()[0].name
        self._seen: list[dict[str, Array]] = [
            dict(zip(names, session.run(names, {feed: image[None]}), strict=True)) for image in images
        ]

    def errors(self, value: str, changes: Sequence[Callable[[dict[str, Array]], Array]]) -> list[float]:
        """Return the squared error of all outputs for each change, which makes of an image's values another `value`."""
        rest, crossing = rest_after(self._model, value)
        errors = [0.0] * len(changes)
        for seen in self._seen:
            feed = {name: seen[name] for name in crossing}
            for i, change in enumerate(changes):
                outputs = rest.run(self._outputs, feed | {value: change(seen).astype(np.float32)})
                errors[i] += sum(float(((y - seen[o]) ** 2).sum()) for o, y in zip(self._outputs, outputs, strict=True))
        return errors
