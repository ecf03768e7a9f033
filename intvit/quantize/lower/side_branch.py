"""A linear layer with a low-rank side branch: two small integer `Linear`s beside it, and their sum with its result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S8, S16, common_shift
from intvit.ops import Add
from intvit.quantize.encoding import Encoding
from intvit.quantize.lower.context import Context
from intvit.quantize.lower.emit_linear import RealLinear, emit_linear
from intvit.quantize.weights import round_weights

Array = NDArray[Any]
FINE_BITS = 7
"""By how many bits the terms of a sum are finer than its 8-bit codes, so that codes from -256 to 255 fit s16."""


@dataclass(frozen=True)
class SideBranch:
    """What is added to a layer's result: `(x - centre) @ down @ up`, x being the codes of its input.

    Attributes:
        centre: float64 [K].
        down: float64 [K, r].
        up: float64 [r, C].
        reach: the largest magnitude of each channel in between that calibration saw, float64 [r].
    """

    centre: Array
    down: Array
    up: Array
    reach: Array


def emit_with_branch(
    context: Context, name: str, source: str, layer: RealLinear, branch: SideBranch, encoding: Encoding
) -> str:
    """Emit a layer, its side branch and their sum; return the sum's name.

    Args:
        context: the lowering's state.
        name: of the sum.
        source: what both read, in the integer graph.
        layer: the layer.
        branch: its side branch.
        encoding: of the sum, in at most 16 bits.
    """
    finer = FINE_BITS if encoding.dtype.bits == 8 else 0
    first = float(encoding.zero_point.reshape(-1)[0])
    common = first if (encoding.zero_point == first).all() else 0.0
    term = Encoding(S16, encoding.scale / (1 << finer), (encoding.zero_point - common) * (1 << finer))
    main = emit_linear(context, f"{name}.main", source, layer, term)
    side = _emit_branch(context, name, source, branch, replace(term, zero_point=np.zeros_like(term.zero_point)))
    (one,), shift = common_shift([Fraction(1, 1 << finer)])
    op = Add(
        multiplier_a=one, multiplier_b=one, shift=shift,
        to=encoding.dtype, low=encoding.low, high=encoding.high, zero_point=int(common),
    )  # fmt: skip
    return context.emit(name, op, main, side)


def _emit_branch(context: Context, name: str, source: str, branch: SideBranch, encoding: Encoding) -> str:
    """Emit the branch with weights of 8 bits, and 8 bits in between."""
    down, down_steps = round_weights(branch.down)
    between = Encoding(S8, branch.reach / S8.high, np.zeros_like(branch.reach))
    hidden = emit_linear(context, f"{name}.down", source, RealLinear(down, down_steps, -branch.centre @ down), between)
    up, up_steps = round_weights(branch.up * between.scale[:, None])
    return emit_linear(context, f"{name}.up", hidden, RealLinear(up, up_steps, np.zeros(len(up_steps))), encoding)
