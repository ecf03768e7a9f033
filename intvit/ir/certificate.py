"""The overflow certificate: every intermediate's interval, computed from the graph's own constants for any input at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from intvit.errors import CheckFailed
from intvit.ir.check import check_graph
from intvit.ir.graph import Graph
from intvit.ir.op import Bound, Operand, OpTypeError
from intvit.ir.tensor_type import TensorType
from intvit.numerics import Interval


@dataclass(frozen=True, slots=True)
class Claim:
    """A bound and the node that it belongs to."""

    node: str
    kind: str
    bound: Bound

    def __str__(self) -> str:
        b = self.bound
        return f"{self.node} ({self.kind}): {b.quantity} in {b.interval}, {b.type} has {b.slack_bits} bits to spare"


@dataclass(frozen=True, slots=True)
class Certificate:
    """All claims about a graph and the interval of every value.

    Attributes:
        claims: one for every intermediate that could overflow, in the order of the nodes.
        intervals: the interval of every value by name.
    """

    claims: tuple[Claim, ...]
    intervals: dict[str, Interval]

    @property
    def failures(self) -> list[Claim]:
        """The claims that don't hold."""
        return [claim for claim in self.claims if not claim.bound.holds]

    def tightest(self, count: int = 5) -> list[Claim]:
        """Return the `count` claims with the fewest bits to spare, the tightest first."""
        inner = [claim for claim in self.claims if not claim.bound.quantity.startswith("output ")]
        return sorted(inner, key=lambda claim: claim.bound.slack_bits)[:count]

    def require(self) -> None:
        """Raise `CheckFailed` naming every claim that doesn't hold."""
        if self.failures:
            listed = "\n".join(f"  - {claim}" for claim in self.failures[:20])
            raise CheckFailed(
                f"{len(self.failures)} intermediates could overflow\n{listed}",
                hint="the model's constants are damaged or it was made by something else; convert it again",
            )


def certify(graph: Graph, types: Mapping[str, TensorType] | None = None) -> Certificate:
    """Compute the certificate of a graph, in Python integers and exact int64 sums.

    Args:
        graph: the graph.
        types: what `check_graph` returned for it, if it was asked before.

    Raises:
        GraphError: the graph has faults.
        CheckFailed: an operator can't bound its values (a constant is missing or out of range).
    """
    types = check_graph(graph) if types is None else types
    intervals = {name: kind.dtype.interval for name, kind in graph.inputs.items()}
    for name, array in graph.constants.items():
        intervals[name] = Interval(int(array.min()), int(array.max()))
    claims: list[Claim] = []
    for node in graph.nodes:
        operands = [Operand(types[n], intervals[n], graph.constants.get(n)) for n in node.inputs]
        try:
            outputs, bounds = node.op.bounds(operands)
        except OpTypeError as error:
            raise CheckFailed(str(error), where=node.name, hint="convert the model again") from error
        intervals.update(zip(node.outputs, outputs, strict=True))
        for name, interval in zip(node.outputs, outputs, strict=True):
            bounds = (*bounds, Bound(f"output {name}", interval, types[name].dtype))
        claims += [Claim(node.name, node.op.kind(), bound) for bound in bounds]
    return Certificate(tuple(claims), intervals)
