"""Which channels have residuals: those whose rounding to 8 bits costs the outputs most for each multiplication that they add.

What the rounding of a channel does to the outputs is told by their gradients, to first order. Duplicating channels to halve
their rounding error goes back to outlier channel splitting (Zhao et al., arXiv 1901.09504); here the second copy holds what the
first one's rounding left over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.choose import can_be_wide, readers_of, wide_limit
from intvit.quantize.lower.context import Context
from intvit.quantize.multiplications import multiplications, price_of_layer
from intvit.quantize.ranges import decode, encode, unsigned_codes
from intvit.quantize.site_rounding import codes_of
from intvit.quantize.sites import Site

Array = NDArray[Any]
WORTH = 4.0
"""What share of the error channels must save at least, over the share of the multiplications that they add."""
GROUP = 16
"""Channels are added by groups of so many, as kernels multiply several at a time."""


@dataclass(frozen=True)
class Group:
    """Channels of a site, int64, that get residuals or not; the error that this saves, and what it costs in multiplications."""

    site: str
    channels: Array
    saved: float
    cost: int


def choose_residuals(context: Context) -> dict[str, Array]:
    """Return the channels with residuals, ascending, of every site that has any.

    Args:
        context: the state before lowering; sensitivities are known, spreads and bits are chosen.
    """
    if not context.recipe.residual_share:
        return {}
    groups = [group for site in context.sites.values() if can_have_residuals(context, site) for group in _groups(context, site)]
    return taken_groups(groups, multiplications(context.graph, context.layers), context.recipe.residual_share)


def can_have_residuals(context: Context, site: Site) -> bool:
    """Whether a site has uniform codes of 8 bits, of its own, that only linear layers with weights of 8 bits read."""
    if context.recipe.two_scale_gelu or context.recipe.outlier_channels:
        return False
    narrow = can_be_wide(context, site) and wide_limit(context, site) is None and context.act_bits(site) == 8
    return narrow and all(context.weight_bits(layer) == 8 for layer, _ in readers_of(context, site))


def _groups(context: Context, site: Site) -> list[Group]:
    """Return the groups of a site, channels whose rounding costs the model's outputs most first."""
    errors, cost = np.zeros(site.channels), 0
    scale, zero_point = codes_of(context, site, 8)
    for layer, channels in readers_of(context, site):
        rows, sensitivity = context.layer_rows.of(layer), context.sensitivities[layer.name]
        encoding = scale[channels], zero_point[channels]
        noise = decode(encode(rows, *encoding, unsigned_codes(8)), *encoding) - rows
        noise -= noise.mean(0)
        counts = sensitivity.share * ((layer.weight @ sensitivity.channels) * layer.weight).sum(1)
        np.add.at(errors, channels, (sensitivity.rows @ noise**2) * counts)
        cost += price_of_layer(context.graph, layer) // len(layer.weight)
    order = np.argsort(-errors, kind="stable")
    parts = (np.sort(order[start : start + GROUP]) for start in range(0, len(order), GROUP))
    return [Group(site.value, part, float(errors[part].sum()), cost * len(part)) for part in parts]


def taken_groups(groups: list[Group], multiplications: int, share: float) -> dict[str, Array]:
    """Return the channels of the groups that save most for what they cost, of all that are worth it.

    Args:
        groups: all groups of all sites.
        multiplications: of the whole model.
        share: of these, what the groups may cost in all.
    """
    limit, total = share * multiplications, sum(group.saved for group in groups)
    taken: dict[str, list[Array]] = {}
    for group in sorted(groups, key=lambda group: -group.saved / group.cost):
        if group.cost <= limit and group.saved * multiplications > WORTH * group.cost * total:
            limit -= group.cost
            taken.setdefault(group.site, []).append(group.channels)
    return {site: np.sort(np.concatenate(parts)) for site, parts in taken.items()}
