"""How a linear layer's input is written: codes of its channels, and for some channels the residuals behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S16, U8, Interval
from intvit.quantize.encoding import Encoding, compress
from intvit.quantize.ranges import encode

Array = NDArray[Any]
RESIDUAL_BITS = 3
"""By how many bits channels with residuals are finer than codes of 8 bits.

Of weights of 8 bits their copies for the residuals keep 8 - b bits, so b = 3 and 4 leave about the same error, a seventh of
that of 8 bits: the one by the residuals' own rounding, the other by that of the copies.
"""
RESIDUAL_MARGIN = 1.25
"""How much wider the range of a channel with a residual is made: saturation is most of what is left of its error."""
FINE_CODES = Interval(0, (U8.high << RESIDUAL_BITS) + U8.high - (1 << (RESIDUAL_BITS - 1)))
"""The codes that a coarse code and a residual can tell: residuals reach beyond the largest coarse code."""


def finer(encoding: Encoding, widened: Array) -> Encoding:
    """Return the s16 codes that `AppendResiduals` splits.

    Args:
        encoding: of 8 bits.
        widened: by how much each channel's scale grows, in a shape that broadcasts to the encoding's scale.
    """
    step = 1 << RESIDUAL_BITS
    return Encoding(S16, compress(encoding.scale / step * widened), encoding.zero_point * step, FINE_CODES)


@dataclass(frozen=True)
class InputCodes:
    """The codes that a linear layer reads, and the numbers that its weights multiply: codes less their zero points.

    Attributes:
        scale: of the codes, float64 [K]; with residuals, of the fine codes before `AppendResiduals` splits them.
        zero_point: likewise, float64 [K].
        codes: the range of these codes.
        residuals: the channels whose residuals come behind all K channels, int64 [R]; none if nothing splits the codes.
    """

    scale: Array
    zero_point: Array
    codes: Interval
    residuals: Array

    @property
    def zero_points(self) -> Array:
        """The zero points of all that the layer reads, float64 [K + R]."""
        if not self.residuals.size:
            return self.zero_point
        coarse = self.zero_point / (1 << RESIDUAL_BITS)
        return np.concatenate([coarse, np.full(len(self.residuals), float(1 << (RESIDUAL_BITS - 1)))])

    def units(self, real: Array) -> Array:
        """Return what the weights multiply, float64 [N, K + R], for rows of real inputs [N, K]."""
        fine = encode(real, self.scale, self.zero_point, self.codes)
        if not self.residuals.size:
            result: Array = fine - self.zero_point
            return result
        step = 1 << RESIDUAL_BITS
        coarse = np.clip(np.floor(fine / step + 0.5), U8.low, U8.high)
        left = (fine - coarse * step)[:, self.residuals]
        return np.concatenate([coarse - self.zero_point / step, left], 1)

    def folded(self, weight: Array) -> Array:
        """Return the weights that apply to `units`, float64 [K + R, C], from those of the real inputs [K, C]."""
        fine = weight * self.scale[:, None]
        if not self.residuals.size:
            return fine
        return np.concatenate([fine * (1 << RESIDUAL_BITS), fine[self.residuals]])
