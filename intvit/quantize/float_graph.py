"""A read-only view of a canonical float model in the terms that quantization needs: NumPy constants, shapes, consumers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx_ir
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.importer.model import at_batch_one, is_helper

Array = NDArray[Any]


@dataclass(frozen=True)
class FloatNode:
    """One canonical operator.

    Attributes:
        name: unique node name.
        op: operator type, such as `MatMul`.
        inputs: value names.
        output: the single output value's name.
        attributes: plain Python values.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


class FloatGraph:
    """Nodes, constants, shapes at batch size 1, batch axes and consumers of a canonical model.

    Attributes:
        nodes: in executable order, without the helpers of `Expand`.
        constants: name to array.
        shapes: value name to shape at batch size 1.
        batch_axes: value name to the axis that carries the batch, or None.
        consumers: value name to `(node, input index)` pairs.
        input: the image input's name.
        outputs: the output names.
    """

    def __init__(self, model: CanonicalModel) -> None:
        graph = model.model.graph
        self.nodes = [_node(node) for node in graph if not is_helper(node)]
        self.constants: dict[str, Array] = {
            name: value.const_value.numpy() for name, value in graph.initializers.items() if value.const_value is not None
        }
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.batch_axes: dict[str, int | None] = {}
        for name, dims in model.shapes.items():
            self.shapes[name] = tuple(at_batch_one(d) for d in dims)
            marked = [i for i, d in enumerate(dims) if isinstance(d, str)]
            self.batch_axes[name] = marked[0] if marked else None
        for name, array in self.constants.items():
            self.shapes.setdefault(name, array.shape)
            self.batch_axes.setdefault(name, None)
        self.input = str(graph.inputs[0].name)
        self.outputs = [str(value.name) for value in graph.outputs]
        self.consumers: dict[str, list[tuple[FloatNode, int]]] = {}
        for node in self.nodes:
            for i, name in enumerate(node.inputs):
                self.consumers.setdefault(name, []).append((node, i))

    def is_constant(self, name: str) -> bool:
        """Whether a value is a constant of the graph."""
        return name in self.constants

    def only_consumer(self, name: str) -> FloatNode | None:
        """Return the node that alone uses a value, None if there is not exactly one or the value is an output."""
        users = self.consumers.get(name, [])
        return users[0][0] if len(users) == 1 and name not in self.outputs else None


def _node(node: onnx_ir.Node) -> FloatNode:
    inputs = tuple(str(v.name) for v in node.inputs if v is not None)
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    return FloatNode(str(node.name), node.op_type, inputs, str(node.outputs[0].name), attributes)
