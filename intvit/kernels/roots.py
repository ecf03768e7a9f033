"""Square roots and reciprocals of eight numbers at a time: Newton's steps in fixed point, then exact by one look at the rest.

All numbers are s64 lanes. Reciprocals are of numbers in [1/4, 1) with 31 fraction bits, and have 29 themselves. Three steps
leave an error below 2^-26, so that an estimate of 31 bits is off by less than 2^7. What it leaves over, divided by the divisor,
corrects it to 2^-13; the corrected estimate less 2^-13, rounded down, is the floor or one less, which one more look decides.
"""

from __future__ import annotations

from intvit.kernels.jit import Scalar, device
from intvit.kernels.lanes import low
from intvit.kernels.vector import smaller

STEPS = 3
LARGEST = (1 << 31) - 1
ROOT_START = (1433874832, -1763776638, 879684464)
"""2.6708 - 3.28529 f + 1.63854 f^2, within 2.5 % of 1 / sqrt(f) for f in [1/4, 1); 29 fraction bits."""


@device
def times(a: Scalar, b: Scalar) -> Scalar:
    """Return the product of lanes that fit s32."""
    return low(a) * low(b)


@device
def inverse_root(x: Scalar) -> Scalar:
    """Return about `2**29 / sqrt(x / 2**62)` for x in [2**60, 2**62)."""
    f = x >> 31
    y = (times((low(f) * ROOT_START[2] >> 31) + ROOT_START[1], f) >> 31) + ROOT_START[0]
    for _ in range(STEPS):
        squared = times(f, times(y, y) >> 30) >> 31
        y = times(y, (3 << 28) - squared) >> 29
    return y


@device
def square_root(x: Scalar, inverse: Scalar) -> Scalar:
    """Return `floor(sqrt(x))` for x in [2**60, 2**62) and its `inverse_root`."""
    root = smaller(times(x >> 31, inverse) >> 29, LARGEST)
    rest = x - times(root, root)
    root = root + ((times(rest >> 8, inverse) - (1 << 40)) >> 53)
    return root + 1 + ((x - times(root, root) - (root << 1) - 1) >> 63)


@device
def divide(n: Scalar, d: Scalar, inverse: Scalar) -> Scalar:
    """Return `floor(n / d)`, which must be less than 2**31.

    Args:
        n: in [0, 2**62).
        d: in [2**30, 2**31).
        inverse: about `2**60 / d`.
    """
    q = smaller(times(n >> 31, inverse) >> 29, LARGEST)
    rest = n - times(q, d)
    q = q + ((times(rest >> 8, inverse) - (1 << 39)) >> 52)
    return q + 1 + ((n - times(q, d) - d) >> 63)
