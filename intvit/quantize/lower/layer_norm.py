"""LayerNormalization: gamma, beta, per-channel scales and zero points become one integer affine map."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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

Array = NDArray[Any]

LEAST_MULTIPLIER = 1 << 9
"""Half the channels of a `LayerNormWords` have multipliers of this size or more: they are right to 2^-10."""


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

    def numbers(self, gains: Array, offsets: Array) -> tuple[Array, Array, int]:
        """Return multipliers and biases [C], and their shift.

        Args:
            gains: codes for a normalized value of one [C].
            offsets: codes of a normalized value of zero [C].
        """
        room = self.bias_bits - int(np.ceil(np.log2(max(np.abs(offsets).max() + 1, self.reach))))
        multipliers, shift = common_shift([Fraction(float(g)) * self.unit for g in gains], self.multiplier.bits - 1, room)
        bias = [round(Fraction(float(o)) * (1 << shift)) for o in offsets]
        return np.array(multipliers, self.multiplier.dtype), np.array(bias, self.bias.dtype), shift


class Site(NamedTuple):
    """A LayerNorm: its node, what it reads, the type of its output, and the `gains` and `offsets` of `Form.numbers`."""

    node: FloatNode
    source: Lowered
    to: IntType
    gains: Array
    offsets: Array

    @property
    def epsilon(self) -> int:
        """The float epsilon at the scale of C^2 times the variance."""
        step = float(self.source.encoding.scale.reshape(-1)[0])
        return max(1, round(float(self.node.attributes.get("epsilon", 1e-5)) * (len(self.gains) / step) ** 2))


def exact(site: Site) -> Form:
    """Return the form of `LayerNorm`."""
    return Form(Fraction(1, 1 << FRACTION_BITS), functools.partial(LayerNorm, epsilon=site.epsilon))


def newton(site: Site) -> Form:
    """Return the form of `LayerNormNewton`, which has no epsilon."""
    return Form(Fraction(math.sqrt(len(site.gains))) / (1 << VALUE_BITS), LayerNormNewton)


def words(site: Site) -> Form:
    """Return the form of `LayerNormWords`, or of `LayerNorm` where codes or multipliers don't fit words."""
    bits = most_fraction_bits(len(site.gains))
    make = functools.partial(LayerNormWords, epsilon=site.epsilon, fraction_bits=bits)
    form = Form(Fraction(1, 1 << bits), make, S16, S32, 29, 1 << (site.to.bits - 1))
    as_codes = site.source.encoding.dtype.high <= S16.high and site.to.bits <= 16
    as_numbers = np.abs(site.gains).max() < 1 << (bits + 12) and np.abs(site.offsets).max() < 1 << 26
    if as_codes and as_numbers and np.median(np.abs(form.numbers(site.gains, site.offsets)[0])) >= LEAST_MULTIPLIER:
        return form
    return exact(site)


LAYER_NORMS: dict[str, Callable[[Site], Form]] = {"exact": exact, "newton": newton, "words": words}
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
    site = Site(node, source, encoding.dtype, gamma / scale, beta / scale + zero_point)
    form = find_choice(LAYER_NORMS, "layer_norm", context.recipe.layer_norm)(site)
    multipliers, bias, shift = form.numbers(site.gains, site.offsets)
    op = form.make(to=encoding.dtype, low=encoding.low, high=encoding.high, shift=shift)
    inputs = (
        source.name,
        context.builder.constant(f"{node.name}.multiplier", multipliers),
        context.builder.constant(f"{node.name}.bias", bias),
    )
    context.set(node.output, context.emit(node.name, op, *inputs), encoding)
