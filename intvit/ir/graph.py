"""The immutable integer graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from intvit.ir.op import Op
from intvit.ir.tensor_type import TensorType


@dataclass(frozen=True)
class Node:
    """One operator applied to named values.

    Attributes:
        name: unique in the graph; kept from the source model where it has one.
        op: the operator with its attributes.
        inputs: names of graph inputs, constants or earlier outputs.
        outputs: names of the values made here.
        metadata: text for people (scales, source node); never used in computing.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """An integer model: nodes in executable order over named values.

    Attributes:
        inputs: name to type, in order.
        outputs: names of output values, in order.
        constants: name to integer array; must not be written to.
        nodes: in an order in which every input exists before it is used.
    """

    inputs: Mapping[str, TensorType]
    outputs: tuple[str, ...]
    constants: Mapping[str, NDArray[Any]]
    nodes: tuple[Node, ...]
