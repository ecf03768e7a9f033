"""What the lowering of a GELU family must tell, and the codes in which it wants its input."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Op
from intvit.numerics import S8, S16
from intvit.numerics.dyadic import MULTIPLIER_BITS
from intvit.quantize.calibrate import Statistics
from intvit.quantize.encoding import Encoding, per_tensor
from intvit.quantize.ranges import stream_scale

Array = NDArray[Any]
MAX_FRACTION_BITS = 13
"""The most fraction bits of a 16-bit input of GELU: codes reach four, where GELU ends to bend."""
FIXED_POINT = ("polynomial", "table", "byte-table")
"""The values of `Recipe.gelu` whose operators want a power-of-two scale."""


@dataclass(frozen=True)
class GeluForm:
    """A GELU operator but for its output.

    Attributes:
        step: the real value of one step of GELU before it is requantized.
        make: makes the operator from `shift` and the attributes of its output.
        constants: its inputs after x and the multiplier, by name.
        multiplier_bits: of the largest multiplier.
    """

    step: Fraction
    make: Callable[..., Op]
    constants: Mapping[str, Array] = field(default_factory=dict)
    multiplier_bits: int = MULTIPLIER_BITS


def gelu_input(family: str, bits: int, statistics: Statistics, rank: int) -> Encoding:
    """Return the codes of a value that GELU reads: one scale, no zero point.

    ShiftGELU reads s8 that cover just the calibrated range, as in I-ViT (arXiv 2207.01405); the polynomials of erf read s8
    likewise or s16 with headroom, whatever `gelu_input_bits`, `bits`, says; the others s16 on a power of two.
    """
    if family not in FIXED_POINT and (family == "shift" or bits == S8.bits):
        top = max(float(np.abs([statistics.low, statistics.high]).max()), 1e-6)
        return per_tensor(S8, top / S8.high, rank)
    step = max(stream_scale(statistics.low, statistics.high, S16), 2.0**-MAX_FRACTION_BITS)
    if family in FIXED_POINT:
        step = 2.0 ** -max(0, math.floor(-math.log2(step)))
    return per_tensor(S16, step, rank)
