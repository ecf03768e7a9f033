"""Recipes: which scheme and operator each kind of site gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from intvit.errors import UsageError

Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Spread:
    """How per-channel scales follow the calibrated ranges: `scale_c ~ margin * width_c^strength * widest^(1 - strength)`.

    Attributes:
        strength: 0 gives all channels one scale, 1 gives each its own.
        margin: how much wider than calibrated the range is made, for images that calibration did not see.
        deviations: how many standard deviations from its mean a channel's range reaches at least: what calibration saw of a
            channel that is seldom large may end far below what other images have.
    """

    strength: float
    margin: float
    deviations: float = 0.0


SEARCHED_BITS = 6
"""The most bits at which scales are searched for instead of covering the calibrated ranges."""
FEW_WEIGHT_CODES_SPREADS = tuple(Spread(strength, 1.1) for strength in (0.0, 0.25, 0.5, 0.75))
"""The other spreads of LayerNorm outputs that are tried where weights have few codes, which strong spreads would cost."""
ROUGH_BITS = 4
"""The most bits of activations whose noise is so large that gradients, those of the float model, don't help weights."""
BRANCHED_BITS = 4
"""The most bits of weights at which the default looks for side branches that make up for their rounding."""
RANKS = (4, 8, 16, 32)
"""The ranks that are tried for side branches."""
GELU_DEVIATIONS = 10.0
"""How far strong spreads of GELU outputs reach at least: few of these outputs are large, but those very."""
DEFAULT_SPREAD = Spread(0.25, 1.0)
"""The spread of GELU outputs that can't be judged."""
NORMALIZED_SOFTMAXES = ("shiftmax", "bit", "i-bert")
UNIFIED = "unified"
"""What leaves the choice of the softmax or GELU of each node to the metric of `unified_metric.py`."""


@dataclass(frozen=True)
class Recipe:
    """The choices of a conversion.

    Attributes:
        name: what `--recipe` takes.
        softmax: `octave` (a table of one octave, shifted), `polynomial` (a polynomial, shifted) or `table`, with the division
            by the row sum deferred;
            `two-scale` (a table of two-scale codes, V-2SF of TSPTQ-ViT, arXiv 2305.12901); `focused` (a table of uniform codes
            on a searched interval, DFQ of AIQViT, arXiv 2502.04628); or probabilities, as in the papers:
            `shiftmax` (I-ViT), `bit` (IPTQ-ViT) or `i-bert`; or `unified`, chosen for each node.
        gelu: `polynomial`, `table`, or `byte-table` (256 bytes where the output has 8 bits, else `polynomial`); `shift`
            (I-ViT's ShiftGELU), `i-bert` (i-GELU), `quartic` (IPTQ-ViT's Poly-GELU) or `quartic-fitted` (the same with
            constants fitted to the calibrated inputs); or `unified`, chosen for each node.
        gelu_input_bits: 8 or 16 bits of what `i-bert` and the quartics read; `shift` always reads 8, the others 16.
        layer_norm: `exact`, or `newton` (I-ViT's I-LayerNorm).
        norm: spread of LayerNorm outputs (RepQ-ViT's reparameterisation at strength 1, arXiv 2212.08254).
        norm_candidates: other spreads of LayerNorm outputs; each site takes the one with the least error of the layers
            behind it, whose weights suffer from strong ones.
        few_rows: spread of sites of which calibration saw fewer than four rows for each channel, such as the class token
            before the head: their per-channel ranges are uncertain.
        query_key: margin of queries and keys, which have one scale a head.
        value: spread of the values; the attention output inherits it.
        attention: margin of the attention output.
        wide_rows: sites of which at most this many rows an image are used get 16 bits.
        wide: the canonical operators (`Gelu`, `MatMul`, `LayerNormalization`) whose results get 16 bits if linear layers read
            them, and `Softmax`, whose exponentials then get 14.
        gelu_candidates: spreads tried for every GELU output; each site takes the one that does least to the outputs on
            calibration images that its ranges were not taken from. One candidate is taken without trying.
        compensate_weights: round each weight so that the errors of earlier ones are compensated (GPTQ, arXiv 2210.17323).
        output_aware: where errors of weights are compensated, let them count as they do at the model's outputs, by the
            gradients of these (`sensitivity.py`).
        low_rank: ranks that are tried for side branches which make up for the rounding of the weights; none if empty
            (AILoC of AIQViT, arXiv 2502.04628).
        branch_share: the most multiplications that a side branch may take, over those of its layer.
        easy_share: of the calibration images, the easiest, that fully count when weights are fitted; harder ones count the less
            the harder they are (AIQViT's pacing). With 1 all count alike.
        correct_bias: move the mean output error of a linear layer into its bias.
        weight_bits: 2 to 8 bits of a weight; the patch embedding and the layers that make the outputs keep 8. With a budget of
            1 or more, 9 or 10 bits of weights that meet codes of 16; the others then have 8.
        act_bits: 3 to 8 bits of what matrix products read; the residual stream and the inputs of GELU keep 16, and the pixels
            and the inputs of layers that make the outputs 8.
        budget: the bit operations that products may take in all, over those of 8 by 8 bits; then each site and layer gets its
            bits by what its rounding does to the outputs (`budget.py`). None leaves them as the recipe says.
        residual_share: the multiplications that residuals may add, over all; channels of what linear layers read get them where
            they help the outputs most (`residuals.py`). Codes of 8 bits and weights of 8 bits only.
        clip_ranges: cut ranges off where this lowers the squared error on the samples, instead of adding margins.
        two_scale_gelu: store what comes after GELU in two-scale codes, too.
        norm_input_bits: 4 to 8 bits of what goes into LayerNorm, a few wide channels on a larger scale (O-2SF of TSPTQ-ViT); 16
            leaves the residual stream as it is.
        outlier_channels: give a few wide channels of what comes out of LayerNorm a larger scale.
        symmetric: give all that matrix products read one scale a tensor, and real zero the middle code, as I-ViT does.
    """

    name: str
    softmax: str = "octave"
    gelu: str = "byte-table"
    gelu_input_bits: int = 16
    layer_norm: str = "exact"
    norm: Spread = Spread(1.0, 1.0)
    norm_candidates: tuple[Spread, ...] = ()
    few_rows: Spread = Spread(0.25, 1.25)
    query_key: float = 1.05
    value: Spread = Spread(1.0, 1.05)
    attention: float = 1.0
    wide_rows: int = 0
    wide: tuple[str, ...] = ()
    gelu_candidates: tuple[Spread, ...] = (
        Spread(0.0, 1.0),
        Spread(0.25, 0.85),
        Spread(0.25, 1.0),
        Spread(0.25, 1.25),
        Spread(0.5, 0.7, GELU_DEVIATIONS),
        Spread(0.5, 0.85, GELU_DEVIATIONS),
        Spread(0.5, 1.0, GELU_DEVIATIONS),
        Spread(0.65, 0.85, GELU_DEVIATIONS),
    )
    compensate_weights: bool = True
    output_aware: bool = True
    low_rank: tuple[int, ...] = ()
    branch_share: float = 0.12
    easy_share: float = 1.0
    correct_bias: bool = True
    weight_bits: int = 8
    act_bits: int = 8
    budget: float | None = None
    residual_share: float = 0.025
    clip_ranges: bool = False
    two_scale_gelu: bool = False
    norm_input_bits: int = 16
    outlier_channels: bool = False
    symmetric: bool = False

    @property
    def softmax_top(self) -> int:
        """The code of each row's largest exponential."""
        return (1 << self.act_bits) - 1

    @property
    def differentiates(self) -> bool:
        """Whether any choice asks for the gradients of the model's outputs."""
        return self.output_aware or len(self.gelu_candidates) > 1 or self.residual_share > 0

    @property
    def widens(self) -> bool:
        """Whether the budget is for places of 16 bits; then the rows that the output reads go apart, where they cost little."""
        return self.budget is not None and self.budget >= 1

    @property
    def normalizes(self) -> bool:
        """Whether a softmax may give probabilities, from scores of one scale."""
        return self.softmax in (*NORMALIZED_SOFTMAXES, UNIFIED)

    def to_json(self) -> dict[str, Any]:
        """Return the choices as JSON-ready values, numbers with a fraction as text."""
        values: dict[str, Any] = _without_floats(asdict(self))
        return values


def _without_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_floats(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_floats(v) for v in value]
    return repr(value) if isinstance(value, float) else value


_PLAIN = Spread(0.0, 1.0)
_MINMAX = Recipe(
    "minmax",
    norm=_PLAIN,
    few_rows=_PLAIN,
    query_key=1.0,
    value=_PLAIN,
    attention=1.0,
    wide_rows=0,
    gelu_candidates=(_PLAIN,),
    compensate_weights=False,
    output_aware=False,
    correct_bias=False,
    residual_share=0.0,
)
RECIPES: dict[str, Recipe] = {
    "default": Recipe("default"),
    "accurate": Recipe("accurate", weight_bits=10, budget=1.45, residual_share=0.0),
    "tables": Recipe("tables", softmax="table", gelu="table"),
    "i-vit": replace(_MINMAX, name="i-vit", softmax="shiftmax", gelu="shift", layer_norm="newton", symmetric=True),
    "iptq-vit": replace(_MINMAX, name="iptq-vit", softmax=UNIFIED, gelu=UNIFIED, layer_norm="newton"),
    "minmax": _MINMAX,
    "tsptq-vit": replace(
        _MINMAX,
        name="tsptq-vit",
        softmax="two-scale",
        gelu="table",
        two_scale_gelu=True,
        norm_input_bits=8,
        outlier_channels=True,
        clip_ranges=True,
        correct_bias=True,
    ),
    "aiqvit": Recipe(
        "aiqvit",
        softmax="focused",
        norm_candidates=FEW_WEIGHT_CODES_SPREADS,
        gelu_candidates=(DEFAULT_SPREAD,),
        two_scale_gelu=True,
        output_aware=False,
        low_rank=RANKS,
        branch_share=1.0,
        easy_share=0.0,
        residual_share=0.0,
        weight_bits=4,
        act_bits=4,
        clip_ranges=True,
    ),
}
"""The recipes by name; docs/recipe.md has a line on each."""


WEIGHT_BITS, ACT_BITS = range(2, 11), range(3, 9)
"""The bits that a recipe can be asked for."""
BUDGETS = (0.25, 2.0)
"""The least and the largest budget."""


def find_recipe(name: str, weight_bits: int | None = None, act_bits: int | None = None, budget: float | None = None) -> Recipe:
    """Return a recipe by name, at other bits or under a budget if they are given.

    Raises:
        UsageError: there is none of that name, or it can't have these bits or this budget.
    """
    if name not in RECIPES:
        raise UsageError("no such recipe", expected=", ".join(RECIPES), found=name, hint="choose one with --recipe")
    recipe = RECIPES[name]
    for option, bits, known in (("--weight-bits", weight_bits, WEIGHT_BITS), ("--act-bits", act_bits, ACT_BITS)):
        if bits is not None and bits not in known:
            raise UsageError("no recipe has so many bits", where=option, expected=f"{known[0]} to {known[-1]}", found=str(bits))
    recipe = replace(recipe, weight_bits=weight_bits or recipe.weight_bits, act_bits=act_bits or recipe.act_bits)
    if budget is not None:
        recipe = replace(recipe, budget=budget)
    if recipe.budget is not None:
        _check_budget(recipe, recipe.budget)
    if weight_bits is None and not recipe.widens:
        recipe = replace(recipe, weight_bits=min(8, recipe.weight_bits))
    if recipe.weight_bits > 8 and not recipe.widens:
        raise UsageError(
            "only weights that meet codes of 16 bits can have more than 8", where="--weight-bits", expected="2 to 8",
            found=str(recipe.weight_bits), hint="choose the recipe accurate, or a --budget of 1 or more",
        )  # fmt: skip
    return _adapted(recipe)


def _check_budget(recipe: Recipe, budget: float) -> None:
    if not BUDGETS[0] <= budget <= BUDGETS[1]:
        raise UsageError(
            "no such budget",
            where="--budget",
            expected=f"{BUDGETS[0]} (4 by 4 bits) to {BUDGETS[1]} (16 by 8)",
            found=str(budget),
        )
    if recipe.symmetric or recipe.normalizes or recipe.two_scale_gelu or min(recipe.weight_bits, recipe.act_bits) < 8:
        raise UsageError(
            "the bits are chosen twice", where="--budget", expected="a recipe of 8 bits that leaves them open, such as default",
            found=f"{recipe.name} with {recipe.weight_bits}-bit weights and {recipe.act_bits}-bit activations",
            hint="leave out --budget, or --weight-bits and --act-bits",
        )  # fmt: skip


def _adapted(recipe: Recipe) -> Recipe:
    """Return a recipe with what pays where there are few codes, if it judges candidates at all."""
    searches = len(recipe.gelu_candidates) > 1
    if searches and recipe.weight_bits <= SEARCHED_BITS:
        recipe = replace(recipe, norm_candidates=FEW_WEIGHT_CODES_SPREADS)
    if searches and recipe.weight_bits <= BRANCHED_BITS:
        recipe = replace(recipe, low_rank=RANKS, easy_share=0.0)
    if recipe.act_bits <= ROUGH_BITS:
        recipe = replace(recipe, output_aware=False)
    if searches and recipe.act_bits <= SEARCHED_BITS:
        recipe = replace(recipe, clip_ranges=True, softmax="two-scale", two_scale_gelu=True, gelu_candidates=(DEFAULT_SPREAD,))
    return recipe


def find_choice(choices: Mapping[str, Choice], field: str, name: str) -> Choice:
    """Return what a field of the recipe names.

    Raises:
        UsageError: the field says something else.
    """
    if name not in choices:
        raise UsageError(f"the recipe's {field} is not known", expected=", ".join(choices), found=name)
    return choices[name]
