"""A cubic in fixed point: `h = ((h t) >> 15) + c`, from the highest coefficient to the lowest, in lanes of 16 bits or of 32.

In 16 bits, an h that moves within a window of 2^16 numbers from `2^15 a` on is held as `g = h - 2^15 a`, unsigned; then
`(h t) >> 15 = a t + ((g 2t) >> 16)`, all modulo 2^16, for t in [0, 2^15). The coefficients of both cubics here alternate in
sign, so that a is -2 at the first and the third product; at the second it is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from intvit.kernels.jit import Scalar, device
from intvit.kernels.vector import product_high

Array = NDArray[Any]

UNIT_BITS = 15
"""Fraction bits of t."""


def horner_steps(coefficients: Sequence[int], t: NDArray[np.int64], results: range, second: int) -> Array:
    """Return the constants that `horner` takes, once `read_steps` has read them.

    They are u16 [4] if 16 bits are enough: if h stays within its windows for all of `t`, and the cubic within `results`.
    Otherwise they are the coefficients themselves, s32 [4].

    Args:
        coefficients: four, constant term first.
        t: every t that may come.
        results: what the caller can use in 16 bits.
        second: the a of the second product.
    """
    c0, c1, c2, c3 = coefficients
    h3 = np.full_like(t, c3)
    h2 = ((h3 * t) >> UNIT_BITS) + c2
    h1 = ((h2 * t) >> UNIT_BITS) + c1
    h0 = ((h1 * t) >> UNIT_BITS) + c0
    outer, inner = -2 << UNIT_BITS, second << UNIT_BITS
    within = all(
        start <= int(h.min()) and int(h.max()) < start + (1 << 16) for h, start in ((h3, outer), (h2, inner), (h1, outer))
    )
    if within and results.start <= int(h0.min()) and int(h0.max()) < results.stop:
        return np.array([c0, c1 - outer, c2 - inner, c3 - outer], np.int64).astype(np.uint16)
    return np.array(coefficients, np.int32)


def fits_16_bits(steps: Any) -> bool:
    """Whether an array of steps, or what `read_steps` made of it, of this Numba type is for lanes of 16 bits."""
    return bool(steps.dtype == types.uint16)


@device
def read_steps(steps: Array) -> tuple[Scalar, ...]:
    """Return the steps as numbers, which stores to memory can't change."""
    return steps[0], steps[1], steps[2], steps[3]


def horner(t: Any, second: Any, steps: Any) -> Any:
    """Return the cubic of each lane of `t`: of s32, or of u16 lanes that hold 2t if the steps are of 16 bits.

    There, `second` is what the second product gets from its window, `a t`.
    """
    raise NotImplementedError("only kernels call this")


@overload(horner)
def _horner(t: Any, second: Any, steps: Any) -> Callable[..., Any]:
    def in_16_bits(t: Any, second: Any, steps: Any) -> Any:
        g = product_high(t, steps[3]) + (steps[2] - t)
        g = product_high(t, g) + (second + steps[1])
        return product_high(t, g) + (steps[0] - t)

    def in_32_bits(t: Any, second: Any, steps: Any) -> Any:
        h = ((t * steps[3]) >> UNIT_BITS) + steps[2]
        h = ((t * h) >> UNIT_BITS) + steps[1]
        return ((t * h) >> UNIT_BITS) + steps[0]

    return in_16_bits if fits_16_bits(steps) else in_32_bits
