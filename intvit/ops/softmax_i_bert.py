"""SoftmaxIBert: the softmax of I-BERT, whose exponential is a parabola and a shift."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, S32, S63, Interval
from intvit.ops import body
from intvit.ops.output import rescale_bound
from intvit.ops.softmax_normalized import DISTANCE_BODY, NORMALIZE_BODY, SoftmaxNormalized

HALVINGS = 30
"""How often an exponential may be halved at most."""
DIVISION_BITS = 32


@dataclass(frozen=True, kw_only=True)
class SoftmaxIBert(SoftmaxNormalized):
    """`e = min((L(p) multiplier + 2^(shift+z-1)) >> (shift + z), 32767)` with `min(rowmax - x, 30 ln2) = z ln2 + p`; N = 2^32.

    I-BERT, arXiv 2101.01321, eq. 13-14, as its code has it: `L(p) = p (p - b) + c`. With a score scale S and the polynomial
    `exp(-S p) ~ 0.35815147 (S p)^2 - 0.96963238 S p + 1` the attributes are `ln2 = floor(ln 2 / S)`, at least 1,
    `b = floor(0.96963238 / (0.35815147 S))` and `c = floor(1 / (0.35815147 S^2))`; `multiplier / 2^shift` brings the row's
    maximum to 32767, all that 16 bits hold. The code shifts L(p) left by 30 - z before it rescales to 16 bits, which no 32-bit
    integer holds, divides by zero where ln2 is 0, and takes the probabilities for unsigned. Here the left shift and the rescale
    are one, with the same value; probabilities are signed, so one bit shorter.
    """

    body: ClassVar[str] = (
        DISTANCE_BODY
        + body.attribute("ln2")
        + body.constant("halvings", HALVINGS)
        + "farthest = Mul (halvings, ln2)\n"
        + body.at_most("distance", "farthest", "near")
        + "z = Div (near, ln2)\nwhole = Mul (z, ln2)\np = Sub (near, whole)\n"
        + body.attribute("b")
        + body.attribute("c")
        + "p_b = Sub (p, b)\nparabola = Mul (p, p_b)\nvalue = Add (parabola, c)\n"
        + body.attribute("multiplier")
        + body.attribute("shift")
        + "product_e = Mul (value, multiplier)\ndown_e = Add (z, shift)\n"
        + body.round_shift("product_e", "down_e", "rounded")
        + body.constant("e_top", S16.high)
        + body.at_most("rounded", "e_top", "e")
        + body.constant("numerator", 1 << DIVISION_BITS)
        + body.constant("numerator_bits", DIVISION_BITS)
        + NORMALIZE_BODY
    )
    ln2: int
    b: int
    c: int
    multiplier: int
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        require(1 <= self.ln2 < 1 << 31, f"ln2 must lie in [1, 2^31), got {self.ln2}")
        require(2 * (self.ln2 - 1) <= self.b < 1 << 31, f"b must lie in [2 (ln2 - 1), 2^31), got {self.b}")
        require(self._lowest >= 0 and 1 <= self.c < 1 << 62, f"the parabola must not become negative, c is {self.c}")
        require(1 <= self.multiplier < 1 << 31, f"multiplier must lie in [1, 2^31), got {self.multiplier}")
        require(2 <= self.shift <= 32, f"shift must lie in [2, 32], got {self.shift}")
        return super().infer(inputs)

    @property
    def _lowest(self) -> int:
        """The smallest value of the parabola, which falls until `b / 2`."""
        return self.c - (self.ln2 - 1) * (self.b - self.ln2 + 1)

    def inner_bounds(self, distance: Interval) -> tuple[Bound, ...]:
        value = Interval(self._lowest, self.c)
        products = [rescale_bound("rescale", value * self.multiplier, self.shift + z)[1] for z in (0, HALVINGS)]
        farthest = Interval(0, HALVINGS * self.ln2)
        return (Bound("parabola", value, S32), *products, Bound("farthest distance", farthest, S63))

    def exponential(self, distance: NDArray[np.int64]) -> NDArray[np.int64]:
        z, p = np.divmod(np.minimum(distance, HALVINGS * self.ln2), self.ln2)
        down = self.shift + z
        rounded = ((p * (p - self.b) + self.c) * self.multiplier + (np.int64(1) << (down - 1))) >> down
        result: NDArray[np.int64] = np.minimum(rounded, S16.high)
        return result

    def numerator(self) -> tuple[int, int]:
        return 1 << DIVISION_BITS, DIVISION_BITS
