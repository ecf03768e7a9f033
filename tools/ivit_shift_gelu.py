"""I-ViT's ShiftGELU: the published `IntGELU`, our operator, and rows for both."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from ivit_modules import Array, Case, Comparison, integers, real_values

from intvit.ir import Op
from intvit.numerics import S32
from intvit.ops import GeluShift

SLOPE = Fraction(1702, 1000)


def gelu_cases() -> Iterator[Case]:
    """Random rows as GELU sees them, any codes, and every pair of a row's maximum and a code, from fine to coarse scales."""
    rng, codes = np.random.default_rng(0), np.arange(-128, 128, dtype=np.int16).astype(np.int8)
    normal = rng.normal(-8, 25, (400, 768)).round().clip(-128, 127).astype(np.int8)
    uniform = rng.integers(-128, 128, (400, 768)).astype(np.int8)
    for scale in (0.02, 0.05, 12 / 127, 0.25):
        yield Case("normal", normal, scale)
        yield Case("uniform", uniform, scale)
    for scale in (0.02, 0.05, 2.0**-4, 12 / 127, 0.25):
        yield Case("every maximum and code", np.minimum(codes, codes[:, None]), scale)
    yield Case("e0 beyond 2^128", np.minimum(codes, codes[:, None]), 1.0)
    yield Case("e beyond 2^31", np.minimum(codes, codes[:, None]), 0.001)


def original_gelu(modules: Any, x: Array, scale: float, dtype: str) -> Array:
    """Run `IntGELU`."""
    y, step = modules.IntGELU()(*real_values(x, scale, dtype))
    return integers(y / step)


def our_gelu(scale: float) -> tuple[Op, tuple[Array, ...]]:
    """Return GeluShift for a scale, not requantized."""
    op = GeluShift(unit=math.ceil(1 / (SLOPE * Fraction(scale))), n=23, to=S32, low=S32.low, high=S32.high, shift=2)
    return op, (np.array([4], np.int32),)


SHIFT_GELU = Comparison("ShiftGELU", original_gelu, our_gelu, gelu_cases)
