"""Running a part of the float model: from one of its values to the outputs, or from place to place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.quantize.calibrate import open_session, run_in_batches

Array = NDArray[Any]


def rest_after(model: CanonicalModel, value: str) -> tuple[Any, list[str]]:
    """Return a session on the nodes that come after a value's, and the values that it takes, `value` among them."""
    proto = model.to_proto()
    crossing = crossing_after(proto, value)
    del proto.graph.node[: _end(proto, value)]
    _set_values(proto.graph.input, crossing)
    return open_session(proto), crossing


def share_after(model: CanonicalModel, value: str) -> float:
    """Return which share of a model's nodes comes after a value's, above 0."""
    proto = model.to_proto()
    return 1 - (_end(proto, value) - 1) / len(proto.graph.node)


def crossing_after(proto: onnx.ModelProto, value: str) -> list[str]:
    """Return what the nodes after a value's read of what is made up to there."""
    nodes, end = list(proto.graph.node), _end(proto, value)
    made = {name for node in nodes[:end] for name in node.output} | {v.name for v in proto.graph.input}
    return sorted(made & {name for node in nodes[end:] for name in node.input})


class Walk:
    """The float model on some images, run on from place to place, so that nothing is computed twice.

    Args:
        model: the canonical float model, which must lead with the batch everywhere.
        images: its input, float32 [N, 3, H, W].
        kept: values that are kept from where they are made on.
    """

    def __init__(self, model: CanonicalModel, images: Array, kept: Sequence[str]) -> None:
        self._model = model
        self._done = 0
        self._kept = {*kept}
        self._values = {str(model.model.graph.inputs[0].name): images}

    def to(self, value: str) -> dict[str, Array]:
        """Run on to where a value is made, which must not lie before the last such place.

        Returns:
            The values made up to there, this one among them, that later nodes read or that are kept.
        """
        proto = self._model.to_proto()
        end, wanted = _end(proto, value), {*crossing_after(proto, value)} | self._kept
        if end > self._done:
            self._values |= self._run(proto, end, wanted)
        self._done, self._values = end, {name: array for name, array in self._values.items() if name in wanted}
        return self._values

    def _run(self, proto: onnx.ModelProto, end: int, wanted: set[str]) -> dict[str, Array]:
        """Run the nodes up to a place, and return what is wanted of what they make."""
        nodes = list(proto.graph.node)[self._done : end]
        read = {name for node in nodes for name in node.input}
        made = {name for node in nodes for name in node.output}
        del proto.graph.node[:]
        proto.graph.node.extend(nodes)
        feed, outputs = {name: array for name, array in self._values.items() if name in read}, sorted(made & wanted)
        _set_values(proto.graph.input, list(feed))
        _set_values(proto.graph.output, outputs)
        return run_in_batches(open_session(proto), feed, outputs)

    def drop(self, value: str) -> None:
        """Keep a value no longer."""
        self._kept.discard(value)


def _end(proto: onnx.ModelProto, value: str) -> int:
    """Return the place right after the node that makes a value."""
    return next(i for i, node in enumerate(proto.graph.node) if value in node.output) + 1


def _set_values(ends: Any, names: Sequence[str]) -> None:
    """Make the inputs or outputs of a graph float values of some names."""
    del ends[:]
    ends.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
