"""The graph checker: finds every fault, not only the first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from intvit.errors import InputFileError
from intvit.ir.graph import Graph, Node
from intvit.ir.op import OpTypeError
from intvit.ir.tensor_type import TensorType
from intvit.numerics import IntType


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a graph: `where` is a node, constant or value name."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}"


class GraphError(InputFileError):
    """The graph has faults; `faults` lists all of them."""

    code = "bad_graph"

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        shown = "\n".join(f"  - {fault}" for fault in faults[:20])
        more = f"\n  ... and {len(faults) - 20} more" if len(faults) > 20 else ""
        super().__init__(
            f"the integer graph has {len(faults)} fault{'s' * (len(faults) > 1)}\n{shown}{more}",
            hint="convert the model again; if that does not help, please report it",
        )


def check_graph(graph: Graph) -> dict[str, TensorType]:
    """Return the type of every value.

    Raises:
        GraphError: the graph has faults; lists all that can be told apart.
    """
    faults, types = check(graph)
    if faults:
        raise GraphError(faults)
    return types


def infer_types(graph: Graph) -> dict[str, TensorType]:
    """Return the type of every value of a graph that is known to be sound."""
    return check(graph)[1]


def check(graph: Graph) -> tuple[list[Fault], dict[str, TensorType]]:
    """Return all faults and the types of all values that could be inferred."""
    faults = _name_faults(graph)
    types: dict[str, TensorType] = dict(graph.inputs)
    for name, array in graph.constants.items():
        try:
            types[name] = TensorType(IntType.of(array.dtype), array.shape)
        except TypeError as error:
            faults.append(Fault(name, str(error)))
    broken: set[str] = set()
    for node in graph.nodes:
        faults += _node_faults(node, types, broken)
    faults += [Fault(name, "is an output of the graph but nothing makes it")
               for name in graph.outputs if name not in types and name not in broken]  # fmt: skip
    used = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    faults += [Fault(name, "is a constant that nothing uses") for name in graph.constants if name not in used]
    return faults, types


def _name_faults(graph: Graph) -> list[Fault]:
    values = [*graph.inputs, *graph.constants, *(out for node in graph.nodes for out in node.outputs)]
    faults = [Fault(n, f"is defined {k} times") for n, k in Counter(values).items() if k > 1]
    nodes = Counter(node.name for node in graph.nodes)
    faults += [Fault(n, f"names {k} nodes") for n, k in nodes.items() if k > 1]
    return faults


def _node_faults(node: Node, types: dict[str, TensorType], broken: set[str]) -> list[Fault]:
    """Infer one node into `types`; its outputs go to `broken` where that fails, so that one fault is told once."""
    op = node.op
    faults = []
    if len(node.inputs) != len(op.input_names):
        faults.append(Fault(node.name, f"{op.kind()} takes {len(op.input_names)} inputs, found {len(node.inputs)}"))
    if len(node.outputs) != len(op.output_names):
        faults.append(Fault(node.name, f"{op.kind()} makes {len(op.output_names)} outputs, found {len(node.outputs)}"))
    missing = [name for name in node.inputs if name not in types]
    faults += [Fault(node.name, f"uses {name!r}, which nothing before it makes")
               for name in missing if name not in broken]  # fmt: skip
    if faults or missing:
        broken.update(node.outputs)
        return faults
    try:
        types.update(zip(node.outputs, op.infer([types[name] for name in node.inputs]), strict=True))
    except OpTypeError as error:
        broken.update(node.outputs)
        faults.append(Fault(node.name, f"{op.kind()}: {error}"))
    return faults
