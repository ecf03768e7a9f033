"""The self-test that travels in the file: node by node, do the executors give what they gave when the model was made?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from intvit.io import IntegerModel, digest
from intvit.io.digest import node_digest
from intvit.io.model import test_pattern
from intvit.ir import Graph
from intvit.runtime.engine import Engine
from intvit.runtime.reference import trace_reference

Array = NDArray[Any]


@dataclass(frozen=True)
class KnownAnswerCheck:
    """The outcome of the self-test.

    Attributes:
        nodes: how many nodes were compared.
        first_difference: executor name to the first node, in executable order, whose outputs or constants differ; None if none
            does.
        problem: why the self-test could not be made, empty if it could.
    """

    nodes: int
    first_difference: Mapping[str, str | None]
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether every node of every executor gave the stored digest."""
        return not self.problem and all(node is None for node in self.first_difference.values())


def check_known_answer(model: IntegerModel) -> KnownAnswerCheck:
    """Run the reference and the Numba engine on the synthetic input and compare with the digests in the file."""
    stored = model.info.known_answer
    if stored is None:
        return KnownAnswerCheck(0, {}, "the file holds no known answer")
    names = [node.name for node in model.graph.nodes]
    if set(names) != set(stored.node_digests):
        return KnownAnswerCheck(0, {}, "the known answer belongs to other nodes than the graph has")
    inputs = {name: test_pattern(kind.shape).astype(kind.dtype.dtype) for name, kind in model.graph.inputs.items()}
    if digest(next(iter(inputs.values()))) != stored.input_digest:
        return KnownAnswerCheck(0, {}, "the known answer belongs to another input")
    found = {"reference": _reference(model.graph, inputs), "numba": _numba(model.graph, inputs)}
    first = {name: _first_difference(names, digests, stored.node_digests) for name, digests in found.items()}
    return KnownAnswerCheck(len(names), first)


def _reference(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, str]:
    return {node.name: node_digest(graph, node, outputs) for node, outputs in trace_reference(graph, inputs)}


def _numba(graph: Graph, inputs: Mapping[str, Array]) -> dict[str, str]:
    values = Engine(graph).run_all(inputs)
    return {node.name: node_digest(graph, node, {name: values[name] for name in node.outputs}) for node in graph.nodes}


def _first_difference(names: Iterable[str], found: Mapping[str, str], stored: Mapping[str, str]) -> str | None:
    return next((name for name in names if found[name] != stored[name]), None)
