"""What the two-scale operators share: codes of k bits, one of which tells the region (V-2SF of TSPTQ-ViT, arXiv 2305.12901).

The highest bit is the region, the other k - 1 are the payload p. In the fine region the code stands for p, in the coarse
region for `p << coarse_shift`: small values keep their last bits, large ones their first. `coarse_shift <= k - 1`, so that the
regions meet: the coarse grid has a point at the end of the fine one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import require
from intvit.numerics import Interval
from intvit.ops import body

LAYOUT_BODY = (
    body.attribute("bits")
    + body.attribute("coarse_shift")
    + body.constant("region_unit", 1)
    + "payload_bits = Sub (bits, region_unit)\n"
    + body.power_of_two("payload_bits", "half")
    + body.power_of_two("coarse_shift", "coarse_step")
)
"""Defines `half`, the first code of the coarse region, and `coarse_step`, what its payload counts."""


def decode_body(code: str, y: str) -> str:
    """Define `y`, the value of int64 `code`; `LAYOUT_BODY` goes before."""
    return (
        f"{y}_is_coarse = GreaterOrEqual ({code}, half)\n{y}_payload = Sub ({code}, half)\n"
        f"{y}_coarse = Mul ({y}_payload, coarse_step)\n{y} = Where ({y}_is_coarse, {y}_coarse, {code})\n"
    )


def check_layout(bits: int, coarse_shift: int) -> None:
    """Raise `OpTypeError` unless codes have 2 to 8 bits and the regions meet without being the same."""
    require(2 <= bits <= 8, f"bits must lie in [2, 8], got {bits}")
    require(1 <= coarse_shift < bits, f"coarse_shift must lie in [1, {bits - 1}], got {coarse_shift}")


def top_value(bits: int, coarse_shift: int) -> int:
    """Return the largest value of a code."""
    return ((1 << (bits - 1)) - 1) << coarse_shift


def encode(values: NDArray[np.int64], bits: int, coarse_shift: int) -> NDArray[np.int64]:
    """Return the codes of integers, which are clipped to what codes can say."""
    half = 1 << (bits - 1)
    v = np.clip(values, 0, top_value(bits, coarse_shift))
    return np.where(v < half, v, half + ((v + (1 << (coarse_shift - 1))) >> coarse_shift))


def decode(codes: NDArray[Any], bits: int, coarse_shift: int) -> NDArray[np.int64]:
    """Return the values of codes."""
    half, wide = 1 << (bits - 1), codes.astype(np.int64)
    return np.where(wide < half, wide, (wide - half) << coarse_shift)


def decoded_interval(codes: Interval, bits: int, coarse_shift: int) -> Interval:
    """Return an interval that holds the values of all codes of an interval."""
    half = 1 << (bits - 1)
    if codes.high < half:
        return codes
    return Interval(0, max((codes.high - half) << coarse_shift, half - 1))
