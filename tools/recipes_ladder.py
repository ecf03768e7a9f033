"""What tools/recipes_report.py measures: recipes at several widths, and the steps from the plainest to the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from intvit.quantize.recipe import RECIPES, Recipe, Spread

BITS = ((8, 8), (6, 6), (4, 8), (4, 4))
"""Bits of weights and of activations."""
GENERAL = ("default", "minmax")
"""The recipes that are measured at all of `BITS`."""


@dataclass(frozen=True)
class Rung:
    """One recipe at one width."""

    recipe: str
    weight_bits: int
    act_bits: int

    @property
    def bits(self) -> str:
        """The width as the papers write it."""
        return f"W{self.weight_bits}A{self.act_bits}"

    @property
    def name(self) -> str:
        """Recipe and width, for people and for file names."""
        return f"{self.recipe} {self.bits}"

    def __str__(self) -> str:
        return f"{self.recipe}:{self.weight_bits}:{self.act_bits}"

    @classmethod
    def parse(cls, text: str) -> Rung:
        """Read `RECIPE:WEIGHT_BITS:ACT_BITS`, or a recipe alone at 8 bits.

        Raises:
            ValueError: it is written otherwise.
        """
        recipe, *bits = text.split(":")
        weight_bits, act_bits = map(int, bits) if bits else (8, 8)
        return cls(recipe, weight_bits, act_bits)


BASE = Rung("default", 8, 8)
"""What latencies are compared with."""
PAPERS = (
    Rung("i-vit", 8, 8),
    Rung("iptq-vit", 8, 8),
    Rung("iptq-vit", 4, 8),
    Rung("tsptq-vit", 8, 8),
    Rung("tsptq-vit", 6, 6),
    Rung("tsptq-vit", 4, 4),
    Rung("aiqvit", 6, 6),
    Rung("aiqvit", 4, 4),
    Rung("aiqvit", 3, 3),
)
"""The recipes after papers, at the widths that these are about."""
OTHERS = (Rung("accurate", 10, 8), Rung("accurate", 8, 8), Rung("tables", 8, 8))
"""Further recipes of this package; weights of 10 bits are those that meet codes of 16, where `accurate` has these."""
LADDER = (*(Rung(name, *bits) for bits in BITS for name in GENERAL), *OTHERS, *PAPERS)
"""All rows of the report, in its order."""
COMPARED = (BASE, Rung("i-vit", 8, 8), Rung("minmax", 8, 8))
"""Those whose noise is drawn site by site."""


def require_recipes(rungs: Sequence[Rung], known: Mapping[str, Recipe] = RECIPES) -> None:
    """Exit with an error that names the recipes which this version does not have."""
    if missing := sorted({rung.recipe for rung in rungs} - set(known)):
        raise SystemExit(
            f"no such recipe: {', '.join(missing)}; this version has {', '.join(known)}; "
            "choose rows with --rungs RECIPE:WEIGHT_BITS:ACT_BITS ..."
        )


@dataclass(frozen=True)
class Ingredient:
    """A step of the ablation.

    Attributes:
        title: what is added, for people.
        changes: the fields of the recipe that change, and to what.
    """

    title: str
    changes: Mapping[str, Any]


START, GOAL = RECIPES["minmax"], RECIPES["default"]


def _of_goal(*fields: str) -> dict[str, Any]:
    return {field: getattr(GOAL, field) for field in fields}


INGREDIENTS = (
    Ingredient("one scale a channel after LayerNorm", {"norm": Spread(1.0, 1.0)}),
    Ingredient("one scale a channel for values", {"value": Spread(1.0, 1.0)}),
    Ingredient("margins for unseen images", _of_goal("norm", "value", "query_key", "attention")),
    Ingredient("milder scales where few rows were seen", _of_goal("few_rows")),
    Ingredient("GELU's spread chosen by the logits", _of_goal("gelu_candidates")),
    Ingredient("the mean error goes into the bias", _of_goal("correct_bias")),
    Ingredient("weights make up for each other's rounding", _of_goal("compensate_weights")),
    Ingredient("weights' errors count as at the outputs", _of_goal("output_aware")),
    Ingredient("residuals of chosen channels", _of_goal("residual_share")),
)
"""From `START` to `GOAL`, one at a time, each added to those before."""


REPLACEMENTS = (
    Ingredient("16 bits where few rows are read", {"wide_rows": 4}),
    Ingredient("16 bits for the attention's output", {"wide": ("MatMul",)}),
    Ingredient("two-scale codes after softmax", {"softmax": "two-scale"}),
    Ingredient("a table for softmax", {"softmax": "table"}),
    Ingredient("I-ViT's softmax (Shiftmax)", {"softmax": "shiftmax"}),
    Ingredient("IPTQ-ViT's softmax (Bit-Softmax)", {"softmax": "bit"}),
    Ingredient("I-BERT's softmax", {"softmax": "i-bert"}),
    Ingredient("a table for GELU", {"gelu": "table"}),
    Ingredient("I-ViT's GELU (ShiftGELU)", {"gelu": "shift"}),
    Ingredient("I-BERT's GELU (i-GELU)", {"gelu": "i-bert"}),
    Ingredient("IPTQ-ViT's GELU (Poly-GELU)", {"gelu": "quartic"}),
    Ingredient("IPTQ-ViT's GELU, constants fitted", {"gelu": "quartic-fitted"}),
    Ingredient("I-ViT's LayerNorm", {"layer_norm": "newton"}),
)
"""Other operators than `GOAL` has, one at a time."""


def ablation(ingredients: Sequence[Ingredient] = INGREDIENTS) -> list[tuple[str, Recipe]]:
    """Return the recipe after each ingredient, and the plain one first.

    Raises:
        SystemExit: the ingredients don't lead to `GOAL`, because a field is missing.
    """
    recipe, steps = START, [(f"`{START.name}`", START)]
    for number, ingredient in enumerate(ingredients, start=1):
        recipe = replace(recipe, **{"name": f"{START.name}+{number}", **ingredient.changes})
        steps.append((f"+ {ingredient.title}", recipe))
    found, wanted = recipe.to_json(), GOAL.to_json()
    if missing := [field for field in wanted if field != "name" and found[field] != wanted[field]]:
        raise SystemExit(f"INGREDIENTS in tools/recipes_ladder.py end at another {', '.join(missing)} than `{GOAL.name}` has")
    return steps


def replacements(ingredients: Sequence[Ingredient] = REPLACEMENTS) -> list[tuple[str, Recipe]]:
    """Return the default recipe, and what it becomes with each other operator alone."""
    changed = [
        (i.title, replace(GOAL, **{"name": f"{GOAL.name}-{n}", **i.changes})) for n, i in enumerate(ingredients, start=1)
    ]
    return [(f"`{GOAL.name}`", GOAL), *changed]
