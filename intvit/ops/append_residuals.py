"""AppendResiduals: 16-bit codes cut to 8 bits, and behind them, for some channels, what the cut left over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Op, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import S16, U8, Interval
from intvit.ops import body

MOST_BITS = 7
"""The most bits that can be cut."""


@dataclass(frozen=True, kw_only=True)
class AppendResiduals(Op):
    """`y = coarse` followed by `residual[..., channels]` along the last axis, with b = `bits`.

        coarse   = clip((x + 2^(b-1)) >> b, 0, 255)
        residual = clip(x - (coarse << b) + 2^(b-1), 0, 255)

    So `x = coarse 2^b + residual - 2^(b-1)` unless the residual saturates, and a product of 8 by 8 bits reads some channels as
    exactly as x has them: their weights come twice, the second time `2^b` times smaller. Input: `x` s16 `[..., K]`. Output: u8
    `[..., K + len(channels)]`; every channel lies in `[0, K)`.
    """

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    body: ClassVar[str] = (
        body.attribute("bits")
        + body.constant("zero", 0)
        + body.constant("top", 255)
        + body.constant("unit", 1)
        + "half_bits = Sub (bits, unit)\n"
        + body.power_of_two("bits", "step")
        + body.power_of_two("half_bits", "half")
        + body.cast("x", body.INT64, "x_wide")
        + body.round_shift("x_wide", "bits", "cut")
        + body.at_most("cut", "top", "cut_capped")
        + body.at_least("cut_capped", "zero", "coarse")
        + "back = Mul (coarse, step)\nleft = Sub (x_wide, back)\nmoved = Add (left, half)\n"
        + body.at_most("moved", "top", "moved_capped")
        + body.at_least("moved_capped", "zero", "residual")
        + "channels = Constant <value_ints: ints = @channels> ()\n"
        + "picked = Gather <axis = -1> (residual, channels)\n"
        + "joined = Concat <axis = -1> (coarse, picked)\n"
        + body.cast("joined", body.UINT8, "y")
    )
    bits: int
    channels: tuple[int, ...]

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        require(1 <= self.bits <= MOST_BITS, f"bits must lie in [1, {MOST_BITS}], got {self.bits}")
        require(x.dtype == S16 and bool(x.shape), f"x must be s16 [..., K], got {x}")
        require(x.batch_axis != len(x.shape) - 1, f"x must not carry the batch in its channels, got {x}")
        require(bool(self.channels), "channels must name at least one channel")
        inside = min(self.channels) >= 0 and max(self.channels) < x.shape[-1]
        require(inside, f"channels must lie in [0, {x.shape[-1]}), got {min(self.channels)} to {max(self.channels)}")
        return (TensorType(U8, (*x.shape[:-1], x.shape[-1] + len(self.channels)), x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        return (U8.interval,), ()

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        x, half = inputs[0].astype(np.int64), 1 << (self.bits - 1)
        coarse = np.clip((x + half) >> self.bits, 0, 255)
        residual = np.clip(x - (coarse << self.bits) + half, 0, 255)
        return (np.concatenate([coarse, residual[..., list(self.channels)]], -1).astype(np.uint8),)
