"""SoftmaxBit: the Efficient Bit-Softmax of IPTQ-ViT, whose exponential is a tangent in shifts and additions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S63, Interval
from intvit.ops import body
from intvit.ops.softmax_normalized import DISTANCE_BODY, NORMALIZE_BODY, OCTAVES_BODY, SoftmaxNormalized, octaves

POINT = 16
"""Fraction bits of powers of two."""
FARTHEST = 31 << POINT
"""Exponentials are zero from here on."""


@dataclass(frozen=True, kw_only=True)
class SoftmaxBit(SoftmaxNormalized):
    """`e = (2^16 + phi(r)) >> q` with `octaves(rowmax - x) step = 2^16 q - r` and `phi(r) = (r >> 1) + (r >> 3) + (r >> 4)`.

    IPTQ-ViT, arXiv 2511.15369, sec. 4.4: `2^r ~ 1 + r ln 2`, with 0.1011b for ln 2, and N = 2^`numerator_bits`, 28 or 24.
    `step` is the score's scale with 16 fraction bits. How the whole part is split off is not known from the sources: `nearest`
    1 rounds it, so that r lies in [-1/2, 1/2] (error -7.2 % to 0); 0 floors it, so that r lies in (-1, 0] (error down to
    -37.5 %). A row sum beyond N makes every probability 0, as in the formula.
    """

    body: ClassVar[str] = (
        DISTANCE_BODY
        + OCTAVES_BODY
        + body.attribute("step")
        + "far = Mul (octaves, step)\n"
        + body.constant("farthest", FARTHEST)
        + body.at_most("far", "farthest", "z")
        + body.attribute("nearest")
        + body.constant("half_unit", 1 << (POINT - 1))
        + body.constant("unit", 1 << POINT)
        + "rounding = Mul (nearest, half_unit)\nz_rounded = Add (z, rounding)\nq = Div (z_rounded, unit)\n"
        + "whole = Mul (q, unit)\nr = Sub (whole, z)\nlifted = Add (r, unit)\n"
        + body.constant("eight", 8)
        + "r_2 = Div (lifted, two)\nr_8 = Div (lifted, eight)\nr_16 = Div (lifted, sixteen)\n"
        + "phi_8 = Add (r_2, r_8)\nphi_16 = Add (phi_8, r_16)\n"
        + body.constant("base", 5 << (POINT - 4))
        + "line = Add (phi_16, base)\n"
        + body.power_of_two("q", "fall")
        + "e = Div (line, fall)\n"
        + body.attribute("numerator_bits")
        + body.power_of_two("numerator_bits", "numerator")
        + NORMALIZE_BODY
    )
    step: int
    nearest: int
    numerator_bits: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(1 <= self.step < 1 << 31, f"step must lie in [1, 2^31), got {self.step}")
        require(self.nearest in (0, 1), f"nearest must be 0 or 1, got {self.nearest}")
        require(16 <= self.numerator_bits <= 31, f"numerator_bits must lie in [16, 31], got {self.numerator_bits}")
        return super().infer(inputs)

    def inner_bounds(self, distance: Interval) -> tuple[Bound, ...]:
        return (Bound("fixed-point distance", Interval(0, 2 * distance.high * self.step), S63),)

    def exponential(self, distance: NDArray[np.int64]) -> NDArray[np.int64]:
        z = np.minimum(octaves(distance) * self.step, FARTHEST)
        q = (z + (self.nearest << (POINT - 1))) >> POINT
        r = (q << POINT) - z
        result: NDArray[np.int64] = ((1 << POINT) + (r >> 1) + (r >> 3) + (r >> 4)) >> q
        return result

    def numerator(self) -> tuple[int, int]:
        return 1 << self.numerator_bits, self.numerator_bits
