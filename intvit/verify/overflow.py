"""No intermediate can overflow, for any input at all: the certificate computed anew from the model's constants."""

from __future__ import annotations

from dataclasses import dataclass

from intvit.ir import Claim, Graph, certify

TIGHTEST = 5


@dataclass(frozen=True)
class OverflowCheck:
    """What the certificate says.

    Attributes:
        claims: how many intermediates were bounded.
        failures: those that don't fit their type.
        tightest: those with the fewest bits to spare.
    """

    claims: int
    failures: tuple[Claim, ...]
    tightest: tuple[Claim, ...]

    @property
    def ok(self) -> bool:
        """Whether every intermediate fits."""
        return not self.failures


def check_overflow(graph: Graph, tightest: int = TIGHTEST) -> OverflowCheck:
    """Bound every intermediate of a graph.

    Raises:
        GraphError: the graph has faults.
        CheckFailed: an operator can't bound its values at all.
    """
    certificate = certify(graph)
    return OverflowCheck(len(certificate.claims), tuple(certificate.failures), tuple(certificate.tightest(tightest)))
