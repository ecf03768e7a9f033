"""GELU as I-ViT's ShiftGELU."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from intvit.ops import GeluShift
from intvit.ops.gelu_shift import MAX_UNIT, SIGMOID_BITS
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.gelu_form import GeluForm

SLOPE = Fraction(1702, 1000)
"""GELU is about x sigmoid(1.702 x)."""
N = 23
"""The range of the exponential in octaves, as in I-ViT's code."""


def gelu_shift(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluShift`: the slope goes into its unit, `-floor(-1 / (1.702 scale))`."""
    step = Fraction(float(source.encoding.scale.reshape(-1)[0]))
    unit = min(math.ceil(1 / (SLOPE * step)), MAX_UNIT)
    return GeluForm(step / (1 << SIGMOID_BITS), functools.partial(GeluShift, unit=unit, n=N))
