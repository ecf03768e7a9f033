"""TwoScaleEncode: integers become codes that keep the last bits of small values and the first bits of large ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intvit.ir.op import Bound, Op, Operand, require
from intvit.ir.tensor_type import TensorType
from intvit.numerics import U8, Interval, rescale
from intvit.ops import body
from intvit.ops.output import check_shift, rescale_bound
from intvit.ops.two_scale import LAYOUT_BODY, check_layout, encode, top_value


@dataclass(frozen=True, kw_only=True)
class TwoScaleEncode(Op):
    """Rescale and store in two-scale codes of k = `bits` bits, with m = `coarse_shift`.

        v = clip(rescale(x, multiplier, shift) + zero_point, 0, (2^(k-1) - 1) 2^m)
        y = v if v < 2^(k-1), else 2^(k-1) + ((v + 2^(m-1)) >> m)

    V-2SF of TSPTQ-ViT (arXiv 2305.12901); `v` is an integer of k - 1 + m bits. Input: `x`, at most 32 bits. Output: u8 codes
    below 2^k, x's shape. `multiplier` lies in [0, 2^31).
    """

    input_names: ClassVar[tuple[str, ...]] = ("x",)
    body: ClassVar[str] = (
        LAYOUT_BODY
        + body.attribute("multiplier")
        + body.attribute("shift")
        + body.attribute("zero_point")
        + body.rescale("x", "multiplier", "shift", "scaled")
        + "moved = Add (scaled, zero_point)\n"
        + body.constant("zero", 0)
        + "payload_top = Sub (half, region_unit)\ntop = Mul (payload_top, coarse_step)\n"
        + body.at_most("moved", "top", "capped")
        + body.at_least("capped", "zero", "v")
        + body.round_shift("v", "coarse_shift", "payload")
        + "coarse = Add (payload, half)\nis_fine = Less (v, half)\ncode = Where (is_fine, v, coarse)\n"
        + body.cast("code", 2, "y")
    )
    bits: int
    coarse_shift: int
    multiplier: int
    shift: int
    zero_point: int = 0

    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        (x,) = inputs
        require(bool(x.shape), f"x must have a channel axis, got {x}")
        check_layout(self.bits, self.coarse_shift)
        check_shift(self.shift)
        require(x.dtype.bits <= 32, f"x must have at most 32 bits, got {x.dtype}")
        require(0 <= self.multiplier < 1 << 31, f"multiplier must lie in [0, 2^31), got {self.multiplier}")
        require(abs(self.zero_point) < 1 << 31, f"zero_point must fit 32 bits, got {self.zero_point}")
        return (TensorType(U8, x.shape, x.batch_axis),)

    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        _, claim = rescale_bound("rescale", inputs[0].interval * self.multiplier, self.shift)
        return (Interval(0, (1 << self.bits) - 1),), (claim,)

    def reference(self, *inputs: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        factor = np.array(self.multiplier)
        v = rescale(inputs[0].astype(np.int64), factor, self.shift) + self.zero_point
        return (encode(v, self.bits, self.coarse_shift).astype(np.uint8),)

    @property
    def top(self) -> int:
        """The largest value that a code stands for."""
        return top_value(self.bits, self.coarse_shift)
