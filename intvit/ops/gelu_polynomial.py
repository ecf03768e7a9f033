"""GeluPolynomial: the bump of GELU as `u w^4 q(w)`, `u = |x|/4`, `w = 1 - u`: every factor stays inside 16 bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S32, Interval
from intvit.ops import body
from intvit.ops.gelu import FINISH_BODY, MAGNITUDE_BODY, Gelu

UNIT_BITS = 15
"""Fraction bits of u and w."""
COEFFICIENT_BITS = 12

DEGREE_8 = (10206, -35417, 74910, -41676)
"""Minimax fit of q, lowest power of w first (tools/fit_polynomials.py): error of GELU 4.7e-4, with the floors up to 6.3e-4."""


def _mul_shift(a: str, b: str, y: str) -> str:
    return f"{y}_p = Mul ({a}, {b})\n" + body.shift_right(f"{y}_p", "unit_bits", y)


@dataclass(frozen=True, kw_only=True)
class GeluPolynomial(Gelu):
    """GELU with `bump = (((u w^2 w^2) q(w)) >> 12`, `q(w) = c0 + c1 w + c2 w^2 + c3 w^3`, a floor after each product.

    `coefficients` are q's with 12 fraction bits; u and w have 15.
    """

    body: ClassVar[str] = (
        MAGNITUDE_BODY
        + body.constant("unit_bits", UNIT_BITS)
        + body.constant("unit", 1 << UNIT_BITS)
        + body.constant("u_bits", UNIT_BITS - 2)
        + "spread = Sub (u_bits, fraction_bits)\n"
        + body.power_of_two("spread", "stretch")
        + "u = Mul (near, stretch)\nw = Sub (unit, u)\n"
        + "c = Constant <value_ints: ints = @coefficients> ()\n"
        + "".join(body.constant(f"at{i}", i) + f"c{i} = Gather (c, at{i})\n" for i in range(4))
        + _mul_shift("c3", "w", "q2s")
        + "q2 = Add (q2s, c2)\n"
        + _mul_shift("q2", "w", "q1s")
        + "q1 = Add (q1s, c1)\n"
        + _mul_shift("q1", "w", "q0s")
        + "q0 = Add (q0s, c0)\n"
        + _mul_shift("w", "w", "w2")
        + _mul_shift("w2", "w2", "w4")
        + _mul_shift("u", "w4", "uw4")
        + "bump_p = Mul (uw4, q0)\n"
        + body.constant("coefficient_bits", COEFFICIENT_BITS)
        + body.shift_right("bump_p", "coefficient_bits", "bump")
        + FINISH_BODY
    )
    coefficients: tuple[int, ...]

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        small = all(abs(c) < 1 << 24 for c in self.coefficients)
        require(len(self.coefficients) == 4 and small, f"coefficients must be four below 2^24, got {self.coefficients}")
        return super().infer(inputs)

    def bump_bounds(self, inputs: Sequence[Operand]) -> tuple[Interval, tuple[Bound, ...]]:
        near = np.arange(4 << self.fraction_bits, dtype=np.int64)
        products: list[Interval] = []
        bump = self._evaluate(near, products)
        widest = products[0]
        for product in products:
            widest |= product
        return Interval(int(bump.min()), int(bump.max())), (Bound("polynomial", widest, S32),)

    def bump(self, near: NDArray[np.int64], *constants: NDArray[Any]) -> NDArray[np.int64]:
        return self._evaluate(near, [])

    def _evaluate(self, near: NDArray[np.int64], products: list[Interval]) -> NDArray[np.int64]:
        """Return the bump and note the interval of every product on the way."""

        def multiply(a: NDArray[np.int64], b: NDArray[np.int64], bits: int = UNIT_BITS) -> NDArray[np.int64]:
            product = a * b
            products.append(Interval(int(product.min(initial=0)), int(product.max(initial=0))))
            return product >> bits

        u = near << (UNIT_BITS - 2 - self.fraction_bits)
        w = (1 << UNIT_BITS) - u
        c0, c1, c2, c3 = self.coefficients
        q = multiply(multiply(multiply(np.full_like(w, c3), w) + c2, w) + c1, w) + c0
        w2 = multiply(w, w)
        return multiply(multiply(u, multiply(w2, w2)), q, COEFFICIENT_BITS)
