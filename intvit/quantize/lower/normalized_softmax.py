"""Softmax as the papers have it: scores of one scale, probabilities of 16 bits, and their product with the values."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import TypedDict

import numpy as np

from intvit.ir import Op
from intvit.numerics import S8, S16, S32, U8, IntType, common_shift
from intvit.ops import Shiftmax, SoftmaxBit, SoftmaxIBert
from intvit.quantize.choose import wide_limit
from intvit.quantize.encoding import Encoding, per_tensor
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, unsupported
from intvit.quantize.lower.linear import output_encoding
from intvit.quantize.ranges import spread_scales
from intvit.quantize.recipe import Spread
from intvit.quantize.uses import UseKind

SHIFTMAX_N = 15
BIT_NUMERATOR_BITS = 28
I_BERT_SQUARE, I_BERT_LINEAR = 0.35815147, 0.96963238
"""`exp(-p) ~ 0.35815147 p^2 - 0.96963238 p + 1` for p from 0 to ln 2, as in I-BERT's code."""


class Probabilities(TypedDict):
    """The attributes by which a softmax is told its output's codes."""

    to: IntType
    bits: int


def lower_normalized_softmax(context: Context, node: FloatNode) -> None:
    """Lower softmax to the probabilities of the node's family."""
    scores = context.values[node.inputs[0]]
    if not scores.encoding.per_tensor or scores.encoding.dtype not in (S8, S16):
        raise unsupported(node, "its input has no scale of its own", "see 'intvit coverage'")
    bits = probability_bits(context.graph.shapes[node.output][-1])
    scale = Fraction(float(scores.encoding.scale.reshape(-1)[0]))
    op = FAMILIES[context.family(node)](scale, Probabilities(to=S16, bits=bits))
    name = context.emit(node.name, op, scores.name)
    context.set(node.output, name, per_tensor(S16, 2.0 ** (1 - bits), scores.encoding.scale.ndim))


def mixture_encoding(context: Context, value: str) -> Encoding:
    """Choose how the product of probabilities and values is stored.

    Linear layers read it with a scale for each channel, as the values have, and one zero point, in the middle of u8 codes.
    """
    site, rank = context.sites[value], len(context.graph.shapes[value])
    if site.kind != UseKind.LINEAR or wide_limit(context, site) is not None:
        return output_encoding(context, value, rank)
    alike = len(np.unique(site.ties)) < site.channels
    spread = Spread(0.0 if alike else context.recipe.value.strength, context.recipe.attention)
    statistics, middle = context.statistics[value], (U8.high + 1) // 2
    scale = spread_scales(np.maximum(statistics.high, -statistics.low), spread) / (middle - 1)
    return context.with_residuals(site, context.site_encoding(site, U8, scale, np.full(site.channels, float(middle))))


def probability_bits(tokens: int) -> int:
    """Return how many bits probabilities get: 16, or fewer where sums over so many tokens might not fit 32 bits."""
    bits = S16.bits
    while tokens * ((1 << (bits - 1)) - 1) * -S8.low > S32.high:
        bits -= 1
    return bits


def _shiftmax(scale: Fraction, codes: Probabilities) -> Op:
    return Shiftmax(unit=-math.floor(-1 / scale), n=SHIFTMAX_N, **codes)


def _softmax_bit(scale: Fraction, codes: Probabilities) -> Op:
    step = max(1, math.floor(scale * (1 << 16)))
    return SoftmaxBit(step=step, nearest=1, numerator_bits=BIT_NUMERATOR_BITS, **codes)


def _softmax_i_bert(scale: Fraction, codes: Probabilities) -> Op:
    square, linear = Fraction(I_BERT_SQUARE), Fraction(I_BERT_LINEAR)
    ln2, b = max(1, math.floor(Fraction(math.log(2)) / scale)), math.floor(linear / (square * scale))
    c = max(1, math.floor(1 / (square * scale**2)))
    (multiplier,), shift = common_shift([Fraction(S16.high, c)], max_shift=32)
    return SoftmaxIBert(ln2=ln2, b=b, c=c, multiplier=multiplier, shift=shift, **codes)


FAMILIES: dict[str, Callable[[Fraction, Probabilities], Op]] = {
    "shiftmax": _shiftmax,
    "bit": _softmax_bit,
    "i-bert": _softmax_i_bert,
}
"""The operator of each family for a score scale, by its name in recipes."""
