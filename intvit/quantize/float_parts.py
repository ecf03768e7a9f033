"""Running a part of the float model: from one of its values to the outputs, or from place to place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import onnx
from numpy.typing import NDArray

from intvit.quantize.calibrate import open_session, run_in_batches

Array = NDArray[Any]


def rest_after(proto: onnx.ModelProto, value: str) -> tuple[Any, list[str]]:
    """Return a session on the nodes that come after a value's, and the values that it takes, `value` among them."""
    crossing = crossing_after(proto, value)
    return _part(proto, slice(_end(proto, value), None), crossing, [v.name for v in proto.graph.output]), crossing


def share_after(proto: onnx.ModelProto, value: str) -> float:
    """Return which share of a model's nodes comes after a value's, above 0."""
    return 1 - (_end(proto, value) - 1) / len(proto.graph.node)


def crossing_after(proto: onnx.ModelProto, value: str) -> list[str]:
    """Return what is made up to a value, and read by the nodes after it or an output of the model."""
    nodes, end = list(proto.graph.node), _end(proto, value)
    made = {name for node in nodes[:end] for name in node.output} | {v.name for v in proto.graph.input}
    read = {name for node in nodes[end:] for name in node.input}
    return sorted(made & (read | {v.name for v in proto.graph.output}))


class Walk:
    """The float model on some images, run on from place to place, so that nothing is computed twice.

    Args:
        proto: the canonical float model, which must lead with the batch everywhere.
        images: its input, float32 [N, 3, H, W].
        kept: values that are kept from where they are made on.
    """

    def __init__(self, proto: onnx.ModelProto, images: Array, kept: Sequence[str]) -> None:
        self._proto = proto
        self._done = 0
        self._kept = {*kept}
        self._values = {proto.graph.input[0].name: images}

    def to(self, value: str) -> dict[str, Array]:
        """Run on to where a value is made, which must not lie before the last such place.

        Returns:
            The values made up to there, this one among them, that later nodes read, that are kept, or that are outputs of the
            model: float32 [N, ...].
        """
        end, wanted = _end(self._proto, value), {*crossing_after(self._proto, value)} | self._kept
        if end > self._done:
            self._values |= self._run(end, wanted)
        self._done, self._values = end, {name: array for name, array in self._values.items() if name in wanted}
        return self._values

    def drop(self, value: str) -> None:
        """Keep a value no longer."""
        self._kept.discard(value)

    def _run(self, end: int, wanted: set[str]) -> dict[str, Array]:
        """Run the nodes up to a place, and return what is wanted of what they make."""
        nodes = self._proto.graph.node[self._done : end]
        read = {name for node in nodes for name in node.input}
        made = {name for node in nodes for name in node.output}
        feed, outputs = {name: array for name, array in self._values.items() if name in read}, sorted(made & wanted)
        return run_in_batches(_part(self._proto, slice(self._done, end), list(feed), outputs), feed, outputs)


def _end(proto: onnx.ModelProto, value: str) -> int:
    """Return the place right after the node that makes a value."""
    return next(i for i, node in enumerate(proto.graph.node) if value in node.output) + 1


def _part(proto: onnx.ModelProto, place: slice, inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    """Return a session on some of a model's nodes, with the constants that they read."""
    nodes = proto.graph.node[place]
    read = {name for node in nodes for name in node.input}
    part = onnx.helper.make_graph(
        nodes, "part", [_float(name) for name in inputs], [_float(name) for name in outputs],
        [constant for constant in proto.graph.initializer if constant.name in read],
    )  # fmt: skip
    return open_session(onnx.helper.make_model(part, opset_imports=proto.opset_import, ir_version=proto.ir_version))


def _float(name: str) -> onnx.ValueInfoProto:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
