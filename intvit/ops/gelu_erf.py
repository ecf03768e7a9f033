"""GeluErf: `x/2 (1 + erf(x / sqrt(2)))` with a clipped power for erf: I-BERT's i-GELU and IPTQ-ViT's quartic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S8, S16, S63, Interval, IntType
from intvit.ops import body
from intvit.ops.gelu import RESCALE_BODY, ScaledGelu

MAX_KNEE = {2: 1 << 30, 4: 1 << 15}
"""The largest knee whose power fits 61 bits, by power."""


@dataclass(frozen=True, kw_only=True)
class GeluErf(ScaledGelu):
    """GELU with `erf(u) ~ sgn(u) (a (min(|u|, -b) + b)^power + 1)`, `u = x / sqrt(2)`, a and b negative.

    With `knee = -b sqrt(2) / S` and `one = 2^-erf_shift / (-a (S / sqrt(2))^power)`, rounded, for a scale S of x:
        z = max(knee - |x|, 0);  t = z^power >> erf_shift             erf(|u|) ~ (one - t) / one
        y = clip(rescale(x one + |x| (one - t), multiplier, shift) + zero_point)

    power 2 is i-GELU (I-BERT, arXiv 2101.01321, sec. 3.4), power 4 is Poly-GELU (IPTQ-ViT, arXiv 2511.15369, sec. 4.3).

    Inputs: as `ScaledGelu`; x is s8 or s16. `value(x) = x one + |x| (one - t)` has scale S / (2 one).

    Attributes:
        power: 2 or 4.
        knee: the code from which on erf is one, 1 to 2^30 (power 2) or 2^15 (power 4).
        one: erf's unit, at least 1; the value it leads to must fit 32 bits.
        erf_shift: how far the power is shifted right, 0 to 62.
    """

    input_types: ClassVar[tuple[IntType, ...]] = (S8, S16)
    body: ClassVar[str] = (
        body.cast("x", body.INT64, "x_wide")
        + "size = Abs (x_wide)\n"
        + body.attribute("knee")
        + body.constant("zero", 0)
        + "far = Sub (knee, size)\n"
        + body.at_least("far", "zero", "z")
        + "square = Mul (z, z)\n"
        + body.attribute("power")
        + body.constant("two", 2)
        + body.constant("unity", 1)
        + "is_square = Equal (power, two)\nother = Where (is_square, unity, square)\nraised = Mul (square, other)\n"
        + body.attribute("erf_shift")
        + body.shift_right("raised", "erf_shift", "t")
        + body.attribute("one")
        + "erf = Sub (one, t)\nlinear = Mul (x_wide, one)\neven = Mul (size, erf)\nvalue = Add (linear, even)\n"
        + RESCALE_BODY
    )
    power: int
    knee: int
    one: int
    erf_shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(self.power in MAX_KNEE, f"power must be 2 or 4, got {self.power}")
        require(1 <= self.knee <= MAX_KNEE[self.power], f"knee must lie in [1, {MAX_KNEE[self.power]}], got {self.knee}")
        require(1 <= self.one < 1 << 31, f"one must lie in [1, 2^31), got {self.one}")
        require(0 <= self.erf_shift <= 62, f"erf_shift must lie in [0, 62], got {self.erf_shift}")
        return super().infer(inputs)

    def value_bounds(self, x: Interval) -> tuple[Interval, tuple[Bound, ...]]:
        codes = np.arange(x.low, x.high + 1, dtype=np.int64)
        t = Interval(0, (self.knee**self.power) >> self.erf_shift)
        claims = (
            Bound("power", Interval(0, self.knee**self.power), S63),
            Bound("erf", (t - self.one) * x.magnitude, S63),
        )
        if not all(claim.holds for claim in claims):
            return S63.interval, claims
        value = self.value(codes)
        return Interval(int(value.min()), int(value.max())), claims

    def value(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        size = np.abs(x)
        z = np.maximum(self.knee - size, 0)
        t = z**self.power >> self.erf_shift
        value: NDArray[np.int64] = x * self.one + size * (self.one - t)
        return value
