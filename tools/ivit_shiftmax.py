"""I-ViT's Shiftmax: the published `IntSoftmax`, our operator, and rows for both."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
from ivit_modules import Array, Case, Comparison, integers, real_values

from intvit.ir import Op
from intvit.numerics import S16
from intvit.ops import Shiftmax

TOKENS = 197


def softmax_cases() -> Iterator[Case]:
    """Random, flat, one-hot and far-apart rows, at scales from fine to coarse."""
    rng = np.random.default_rng(0)
    for scale in (2.5, 0.7, 0.25, 0.11, 0.04, 0.008, 0.001):
        for kind in (np.int8, np.int16):
            info = np.iinfo(kind)
            rows = rng.integers(info.min, info.max, (400, TOKENS), kind, endpoint=True)
            narrow = rng.normal(0, 12, (400, TOKENS)).round().astype(kind)
            yield Case("random", rows, scale)
            yield Case("near each other", narrow, scale)
            yield Case("flat", np.repeat(rows[:50, :1], TOKENS, axis=1), scale)
            yield Case("one-hot", np.where(np.eye(TOKENS, dtype=bool), info.max, info.min).astype(kind), scale)
    yield Case("sum beyond 2^31", np.zeros((4, TOKENS), np.int8), 0.0005)
    yield Case("exponential beyond 2^31", np.zeros((4, TOKENS), np.int8), 1 / 70000)


def original_softmax(modules: Any, x: Array, scale: float, dtype: str) -> Array:
    """Run `IntSoftmax` with its 16-bit output, as in ViT and DeiT."""
    y, step = modules.IntSoftmax(output_bit=16)(*real_values(x, scale, dtype))
    return integers(y / step)


def our_softmax(scale: float) -> tuple[Op, tuple[Array, ...]]:
    """Return Shiftmax for a scale."""
    return Shiftmax(to=S16, bits=16, unit=-floor(-1 / Fraction(scale)), n=15), ()


SHIFTMAX = Comparison("Shiftmax", original_softmax, our_softmax, softmax_cases)
