"""What rounding a site that products read to some number of bits does, before anything is lowered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.bits import Bits
from intvit.quantize.choose import choose_linear_input
from intvit.quantize.lower.context import Context
from intvit.quantize.matmul_operand import choose_matmul_operand
from intvit.quantize.ranges import asymmetric, decode, encode, signed_codes, unsigned_codes
from intvit.quantize.recipe import Spread
from intvit.quantize.sites import Site
from intvit.quantize.uses import UseKind

Array = NDArray[Any]
Change = Callable[[dict[str, Array]], Array]
"""Makes another value of a place from the values that the float model has for an image."""


def codes_of(context: Context, site: Site, bits: int) -> tuple[Array, Array]:
    """Return the scales and zero points, float64 [channels], that a site has in codes of some bits, at most 8.

    For attention outputs, whose scales follow those of the values, they are what these would be without that tie.
    """
    statistics = context.statistics[site.value]
    if any(node.op == "MatMul" and node.output == site.value for node in context.graph.nodes):
        spread = Spread(context.recipe.value.strength, context.recipe.attention)
        return asymmetric(statistics.low, statistics.high, spread, unsigned_codes(bits))
    asked = replace(context, bits=Bits({site.value: bits}, {}))
    if site.kind == UseKind.MATMUL:
        choice = choose_matmul_operand(asked, site, statistics)
        return choice.scale, choice.zero_point
    choice = choose_linear_input(asked, site, statistics, context.spreads.get(site.value), per_channel=True)
    return choice.scale, choice.zero_point


def rounding(context: Context, site: Site, bits: int) -> Change:
    """Return what rounding a site to some bits makes of its value."""
    scale, zero_point = codes_of(context, site, bits)
    codes = signed_codes(bits) if site.kind == UseKind.MATMUL else unsigned_codes(bits)
    channel = site.channel

    def change(seen: dict[str, Array]) -> Array:
        encoding = scale[channel], zero_point[channel]
        return decode(encode(seen[site.value].astype(np.float64), *encoding, codes), *encoding)

    return change
