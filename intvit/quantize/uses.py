"""What a float value is used for, looking through the operators that only move data or scale it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.float_graph import FloatGraph, FloatNode

Array = NDArray[Any]
MOVEMENT = ("Reshape", "Transpose", "Slice")


class UseKind(Enum):
    """What a consumer wants from its input."""

    LINEAR = "linear"
    MATMUL = "matmul"
    SCORES = "scores"
    GELU = "gelu"
    STREAM = "stream"
    OUTPUT = "output"


@dataclass(frozen=True)
class Use:
    """One final use of a value.

    Attributes:
        kind: what the consumer wants.
        node: the consumer, None for a graph output.
        index: which of the consumer's inputs it is.
        value: the name under which the value arrives there.
        elements: for every element that arrives, its flat index in the value at batch size 1.
    """

    kind: UseKind
    node: FloatNode | None
    index: int
    value: str
    elements: Array


def uses_of(graph: FloatGraph, name: str) -> list[Use]:
    """Return all final uses of a value."""
    shape = graph.shapes[name]
    return list(_walk(graph, name, np.arange(int(np.prod(shape))).reshape(shape)))


def _walk(graph: FloatGraph, name: str, elements: Array) -> Iterator[Use]:
    if name in graph.outputs:
        yield Use(UseKind.OUTPUT, None, 0, name, elements)
    for node, index in graph.consumers.get(name, []):
        if node.op in MOVEMENT and index == 0:
            yield from _walk(graph, node.output, move(graph, node, elements))
        elif scalar_factor(graph, node) is not None:
            yield from _walk(graph, node.output, elements)
        else:
            yield Use(_kind(graph, node, index), node, index, name, elements)


def _kind(graph: FloatGraph, node: FloatNode, index: int) -> UseKind:
    if node.op == "MatMul":
        return UseKind.LINEAR if graph.is_constant(node.inputs[1]) and index == 0 else UseKind.MATMUL
    return {"Softmax": UseKind.SCORES, "Gelu": UseKind.GELU}.get(node.op, UseKind.STREAM)


def factor_between(graph: FloatGraph, start: str, end: str) -> float:
    """Return the product of the constants by which a value is multiplied until it arrives at a use as `end`."""
    factor = 1.0
    while end != start:
        node = next(node for node in graph.nodes if node.output == end)
        factor *= scalar_factor(graph, node) or 1.0
        end = node.inputs[0]
    return factor


def move(graph: FloatGraph, node: FloatNode, array: Array) -> Array:
    """Apply a data movement node to an array of its input's shape at batch size 1."""
    if node.op == "Reshape":
        return array.reshape(graph.shapes[node.output])
    if node.op == "Transpose":
        return array.transpose(node.attributes["perm"])
    axis, start, end = slice_range(graph, node)
    return array[(slice(None),) * axis + (slice(start, end),)]


def slice_range(graph: FloatGraph, node: FloatNode) -> tuple[int, int, int]:
    """Return the axis, start and end of a canonical `Slice`."""
    start, end, axis = (int(graph.constants[name].reshape(-1)[0]) for name in node.inputs[1:4])
    rank = len(graph.shapes[node.inputs[0]])
    return axis % rank, start, end


def scalar_factor(graph: FloatGraph, node: FloatNode) -> float | None:
    """Return c if the node multiplies by one positive constant c, else None."""
    if node.op != "Mul" or not graph.is_constant(node.inputs[1]):
        return None
    constant = graph.constants[node.inputs[1]]
    value = float(constant.reshape(-1)[0])
    return value if bool((constant == constant.reshape(-1)[0]).all()) and value > 0 else None
