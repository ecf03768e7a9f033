"""LayerNormalization: gamma, beta, per-channel scales and zero points become one integer affine map."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from intvit.ir import Op
from intvit.numerics import S16, S32, S64, IntType, common_shift
from intvit.ops import LayerNorm, LayerNormNewton, LayerNormWords
from intvit.ops.layer_norm import FRACTION_BITS
from intvit.ops.layer_norm_newton import VALUE_BITS
from intvit.ops.layer_norm_words import most_fraction_bits
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.linear import output_encoding
from intvit.quantize.lower.two_scale import narrow_layer_norm_input, outlier_output_encoding
from intvit.quantize.recipe import find_choice


class Form(NamedTuple):
    """How an operator takes gamma, beta and the output's scales.

    Attributes:
        unit: the real value of one step of the normalized value.
        make: makes the operator from `shift` and its output's attributes.
        multiplier: the type of the multipliers.
        bias: the type of the biases; bias_bits: how many of its bits they may fill.
        reach: biases share these bits with numbers of at least so many codes.
    """

    unit: Fraction
    make: Callable[..., Op]
    multiplier: IntType = S32
    bias: IntType = S64
    bias_bits: int = 59
    reach: int = 1


def exact(node: FloatNode, source: Lowered, channels: int, _to: IntType) -> Form:
    """Return the form of `LayerNorm`."""
    return Form(Fraction(1, 1 << FRACTION_BITS), functools.partial(LayerNorm, epsilon=_epsilon(node, source, channels)))


def newton(_node: FloatNode, _source: Lowered, channels: int, _to: IntType) -> Form:
    """Return the form of `LayerNormNewton`, which has no epsilon."""
    return Form(Fraction(math.sqrt(channels)) / (1 << VALUE_BITS), LayerNormNewton)


def words(node: FloatNode, source: Lowered, channels: int, to: IntType) -> Form:
    """Return the form of `LayerNormWords`, or of `LayerNorm` where codes don't fit words."""
    if source.encoding.dtype.high > S16.high or to.bits > 16:
        return exact(node, source, channels, to)
    bits = most_fraction_bits(channels)
    make = functools.partial(LayerNormWords, epsilon=_epsilon(node, source, channels), fraction_bits=bits)
    return Form(Fraction(1, 1 << bits), make, S16, S32, 29, 1 << (to.bits - 1))


def _epsilon(node: FloatNode, source: Lowered, channels: int) -> int:
    step = float(source.encoding.scale.reshape(-1)[0])
    return max(1, round(float(node.attributes.get("epsilon", 1e-5)) * (channels / step) ** 2))


LAYER_NORMS: dict[str, Callable[[FloatNode, Lowered, int, IntType], Form]] = {"exact": exact, "newton": newton, "words": words}
"""What `Recipe.layer_norm` may say."""


def lower_layer_norm(context: Context, node: FloatNode) -> None:
    """Lower `LayerNormalization` over the last axis."""
    source = context.stream(node.inputs[0])
    gamma, beta = (context.graph.constants[name].astype(np.float64) for name in node.inputs[1:3])
    channels = len(gamma)
    if context.recipe.norm_input_bits < 16:
        source = narrow_layer_norm_input(context, node, source, gamma)
    outliers = outlier_output_encoding(context, node.output) if context.recipe.outlier_channels else None
    encoding = outliers or output_encoding(context, node.output, len(context.graph.shapes[node.output]))
    scale = np.broadcast_to(encoding.scale.reshape(-1), (channels,))
    zero_point = np.broadcast_to(encoding.zero_point.reshape(-1), (channels,))
    offset = beta / scale + zero_point
    form = find_choice(LAYER_NORMS, "layer_norm", context.recipe.layer_norm)(node, source, channels, encoding.dtype)
    room = form.bias_bits - int(np.ceil(np.log2(max(np.abs(offset).max() + 1, form.reach))))
    multipliers, shift = common_shift([Fraction(float(g)) * form.unit for g in gamma / scale], form.multiplier.bits - 1, room)
    bias = [round(Fraction(float(o)) * (1 << shift)) for o in offset]
    op = form.make(to=encoding.dtype, low=encoding.low, high=encoding.high, shift=shift)
    inputs = (
        source.name,
        context.builder.constant(f"{node.name}.multiplier", np.array(multipliers, form.multiplier.dtype)),
        context.builder.constant(f"{node.name}.bias", np.array(bias, form.bias.dtype)),
    )
    context.set(node.output, context.emit(node.name, op, *inputs), encoding)
