"""The bits that the search for mixed precision chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bits:
    """Bits by name, of those places whose bits were chosen; all others have the recipe's.

    Attributes:
        activations: by value of the float graph; 16 where readers take 16-bit codes.
        weights: by first node of a linear layer; the recipe's, if it has more than 8, where codes of 16 bits arrive.
    """

    activations: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {"activations": dict(self.activations), "weights": dict(self.weights)}
