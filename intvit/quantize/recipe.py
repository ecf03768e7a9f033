"""Recipes: which scheme and operator each kind of site gets."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from intvit.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """The choices of a conversion.

    Attributes:
        name: what `--recipe` takes.
        softmax: `polynomial` (shift and polynomial) or `table`.
        gelu: `polynomial` or `table`.
        strengths: candidates for how far a per-channel scale follows its channel's range: 0 is per-tensor, 1 is fully
            per-channel. Each site takes the one with the smallest measured output error.
        clips: candidates for the share of the calibrated range that is kept.
        per_head: whether each head's attention output has its own scale.
        compensate_weights: round each weight so that the errors of earlier ones are compensated (GPTQ, arXiv 2210.17323).
        correct_bias: move the mean output error of a linear layer into its bias.
    """

    name: str
    softmax: str = "polynomial"
    gelu: str = "polynomial"
    strengths: tuple[float, ...] = (1.0,)
    gelu_strengths: tuple[float, ...] = (0.25,)
    margin: float = 1.1
    gelu_margin: float = 1.15
    clips: tuple[float, ...] = (1.0,)
    per_head: bool = True
    compensate_weights: bool = True
    correct_bias: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the choices as JSON-ready values without floats."""
        return {k: [str(x) for x in v] if isinstance(v, tuple) else v for k, v in asdict(self).items()}


RECIPES: dict[str, Recipe] = {
    "default": Recipe("default"),
    "tables": Recipe("tables", softmax="table", gelu="table"),
    "minmax": Recipe("minmax", strengths=(0.0,), clips=(1.0,), compensate_weights=False, correct_bias=False),
}
"""The recipes by name."""


def find_recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in RECIPES:
        raise UsageError("no such recipe", expected=", ".join(RECIPES), found=name, hint="choose one with --recipe")
    return RECIPES[name]
