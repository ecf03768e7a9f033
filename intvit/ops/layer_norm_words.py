"""LayerNormWords: LayerNorm whose normalized values have 16 bits, so that a code takes two products of words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, S32, S63, Interval
from intvit.ops import body
from intvit.ops.layer_norm import RECIPROCAL_BODY, SUMS_BODY, row_numbers, variance, variance_bounds
from intvit.ops.output import RequantizingOp, check_shift

FACTOR_BITS = 14
"""The factor of a row is at most 2^14 where a shift follows; the mean has as many fraction bits."""
RECIPROCAL_BITS = 31
MOST_FRACTION_BITS = 13


def normalized_limit(channels: int, fraction_bits: int) -> int:
    """Return a bound of the normalized values' magnitude.

    A value is at most `sqrt(C - 1)` standard deviations from the mean of its row. The row's factor is right to 2^-13 of it, and
    the mean and the rounding move a value by less than 5.
    """
    largest = math.isqrt((channels - 1) << (2 * fraction_bits)) + 1
    return largest + (largest >> (FACTOR_BITS - 1)) + 1 + 5


def most_fraction_bits(channels: int) -> int:
    """Return the most fraction bits, up to 13, with which the normalized values of so many channels fit s16."""
    return max(bits for bits in range(MOST_FRACTION_BITS + 1) if normalized_limit(channels, bits) <= S16.high)


@dataclass(frozen=True, kw_only=True)
class LayerNormWords(RequantizingOp):
    """Normalize the last axis in words, then scale and shift each channel.

    With C channels, of which the number has b bits, F fraction bits, and s1, V, h and R as in `LayerNorm`:
        d = 44 - b - F - h;  t = max(d, 0);  k = 17 + b + min(d, 0)
        m = min((C R + 2^(k-1)) >> k, 2^15 - 1)                  so that m / 2^t is about 2^F / std
        mean = (s1 floor((2^(30+b) - 1) / C)) >> (16 + b)        with 14 fraction bits
        z = (x m - ((mean m) >> 14) + floor(2^(t-1))) >> t       the normalized value with F fraction bits
        y = clip(((z multiplier + bias + 2^(shift-1)) >> shift) + zero_point)

    m is 2^14 or less, with at least 12 bits, unless codes of a row differ so little that d is negative.

    Inputs: `x` at most s16 `[..., C]`; `multiplier` s16 `[C]` (signed: gamma's sign is in it); `bias` s32 `[C]` (beta and
    per-channel zero points at scale 2^-shift). Output: `to`, at most 16 bits, `[..., C]`. `epsilon` as in `LayerNorm`.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x", "multiplier", "bias")
    body: ClassVar[str] = (
        SUMS_BODY
        + RECIPROCAL_BODY
        + "count_reached = GreaterOrEqual (dims, powers)\ncount_reached_wide = Cast <to = 7> (count_reached)\n"
        + "b = ReduceSum <keepdims = 1> (count_reached_wide, last)\n"
        + body.constant("factor_offset", RECIPROCAL_BITS - FACTOR_BITS)
        + "factor_shift = Add (b, factor_offset)\n"
        + body.attribute("fraction_bits")
        + body.constant("point", 61)
        + "below_point = Sub (point, factor_shift)\nunlifted = Sub (below_point, fraction_bits)\nd = Sub (unlifted, h)\n"
        + body.constant("zero", 0)
        + body.at_least("d", "zero", "t")
        + body.at_most("d", "zero", "missing")
        + "k = Add (factor_shift, missing)\nscaled_reciprocal = Mul (reciprocal, dims)\n"
        + body.round_shift("scaled_reciprocal", "k", "m_free")
        + body.constant("m_most", S16.high)
        + body.at_most("m_free", "m_most", "m")
        + body.constant("one", 1)
        + body.constant("mean_offset", RECIPROCAL_BITS - 1)
        + "mean_point = Add (b, mean_offset)\n"
        + body.power_of_two("mean_point", "mean_power")
        + "mean_numerator = Sub (mean_power, one)\ninverse = Div (mean_numerator, dims)\nmean_product = Mul (s1, inverse)\n"
        + body.constant("mean_bits", FACTOR_BITS)
        + "mean_shift = Sub (mean_point, mean_bits)\n"
        + body.shift_right("mean_product", "mean_shift", "mean")
        + "mean_m = Mul (mean, m)\n"
        + body.shift_right("mean_m", "mean_bits", "middle")
        + "xm = Mul (x_wide, m)\ncentred = Sub (xm, middle)\n"
        + body.power_of_two("t", "t_power")
        + "t_half = Div (t_power, two)\nraised = Add (centred, t_half)\n"
        + body.shift_right("raised", "t", "z")
        + body.cast("multiplier", body.INT64, "multiplier_wide")
        + body.cast("bias", body.INT64, "bias_wide")
        + "scaled = Mul (z, multiplier_wide)\nbiased = Add (scaled, bias_wide)\n"
        + body.attribute("shift")
        + body.round_shift("biased", "shift", "rounded")
        + body.output("rounded")
    )
    epsilon: int
    fraction_bits: int
    shift: int

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        x, multiplier, bias = inputs
        self.check_output()
        check_shift(self.shift)
        require(self.shift < 31, f"shift must be at most 30, got {self.shift}")
        require(self.epsilon >= 1, f"epsilon must be 1 or more, got {self.epsilon}")
        require(
            0 <= self.fraction_bits <= MOST_FRACTION_BITS,
            f"fraction_bits must lie in [0, {MOST_FRACTION_BITS}], got {self.fraction_bits}",
        )
        require(self.to.bits <= 16, f"the output type must have at most 16 bits, got {self.to}")
        require(S16.low <= x.dtype.low and x.dtype.high <= S16.high, f"x must fit s16, got {x.dtype}")
        require(bool(x.shape), f"x must have a last axis to normalize, got {x}")
        channels = x.shape[-1]
        require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its channels, got {x}")
        require(multiplier == TensorType(S16, (channels,)), f"multiplier must be s16[{channels}], got {multiplier}")
        require(bias == TensorType(S32, (channels,)), f"bias must be s32[{channels}], got {bias}")
        return (TensorType(self.to, x.shape, x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        x, multiplier, bias = inputs
        c = x.type.shape[-1]
        v = variance(x, self.epsilon)
        width = x.interval.high - x.interval.low
        half = Interval(0, (1 << max(self._down(c, (62 - v.high.bit_length()) // 2), 0)) // 2)
        xm = x.interval * Interval(0, S16.high)
        middle = xm + Interval(-4, 4)
        limit = normalized_limit(c, self.fraction_bits)
        z = Interval(-limit, limit)
        # factors beyond 2^14 are followed by no shift, so that they give z
        centred = (Interval(-width, width) * (1 << FACTOR_BITS) + Interval(-3, 3) + half) | z
        scaled = z * Interval(int(multiplier.constant.min()), int(multiplier.constant.max()))
        total = scaled + Interval(int(bias.constant.min()), int(bias.constant.max())) + (1 << (self.shift - 1))
        # kernels move the zero point into the total, less half the range of unsigned codes
        start = Interval(0 if self.to.signed else -(1 << (self.to.bits - 1)), 0) + self.zero_point
        moved = total + start * (1 << self.shift)
        claims = (
            *variance_bounds(x, v),
            Bound("mean", x.interval * (c << RECIPROCAL_BITS), S63),
            Bound("centred", xm | middle | half - middle | centred, S32),
            Bound("normalized", z, S16),
            Bound("affine", total | moved | scaled, S32),
        )
        return (self.finish_interval(total >> self.shift),), claims

    def _down(self, channels: int, h: Any) -> Any:
        """Return d."""
        return 61 - (RECIPROCAL_BITS - FACTOR_BITS) - channels.bit_length() - self.fraction_bits - h

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, multiplier, bias = (v.astype(np.int64) for v in inputs)
        c = x.shape[-1]
        b = c.bit_length()
        s1, h, reciprocal = row_numbers(x, self.epsilon)
        d = self._down(c, h)
        t, k = np.maximum(d, 0), RECIPROCAL_BITS - FACTOR_BITS + b + np.minimum(d, 0)
        m = np.minimum((c * reciprocal + (1 << (k - 1))) >> k, S16.high)
        inverse = ((1 << (RECIPROCAL_BITS - 1 + b)) - 1) // c
        mean = (s1 * inverse) >> (RECIPROCAL_BITS - 1 - FACTOR_BITS + b)
        z = (x * m - ((mean * m) >> FACTOR_BITS) + (1 << t) // 2) >> t
        return (self.finish((z * multiplier + bias + (1 << (self.shift - 1))) >> self.shift),)
