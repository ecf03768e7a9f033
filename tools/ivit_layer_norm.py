"""I-ViT's I-LayerNorm: the published `IntLayerNorm`, our operator, and rows for both."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from ivit_modules import Array, Case, Comparison, integers, real_values

from intvit.ir import Op
from intvit.numerics import S8, S32, common_shift
from intvit.ops import LayerNormNewton
from intvit.ops.layer_norm_newton import VALUE_BITS

OUT_SCALE = float(np.float32(0.03))


def layer_norm_cases(channels: int) -> Iterator[Case]:
    """Rows as a residual stream has them, narrow ones, the extremes, means that are ties, and constant rows."""
    rng = np.random.default_rng(1)
    halves = np.eye(channels)[:150] * channels / 2 + np.arange(150)[:, None] % 3
    rows = {
        "normal, deviation 3000": rng.normal(50, 3000, (200, channels)).round(),
        "normal, deviation 4": rng.normal(0, 4, (200, channels)).round(),
        "uniform": rng.integers(-32768, 32768, (200, channels)),
        "ends of s16": rng.choice([-32768, 32767], (200, channels)),
        "means that are ties": halves,
        "constant": np.repeat(np.arange(-100, 100)[:, None], channels, 1),
    }
    for name, x in rows.items():
        yield Case(name, x.astype(np.int16), 0.0007)


def parameters(channels: int) -> tuple[Array, Array]:
    """Return gamma and beta, float64 [channels], of both signs; one gamma is nearly zero."""
    rng = np.random.default_rng(2)
    gamma, beta = rng.normal(0.7, 0.4, channels), rng.normal(0, 0.5, channels)
    gamma[0], beta[0] = 1e-3, 0.01
    return gamma.astype(np.float32).astype(np.float64), beta.astype(np.float32).astype(np.float64)


def original_layer_norm(modules: Any, x: Array, scale: float, dtype: str, affine: bool) -> Array:
    """Run `IntLayerNorm` with gamma 1 and beta 0, or with parameters and the requantization to 8 bits behind it."""
    import torch

    channels, kind = x.shape[1], getattr(torch, dtype)
    module = modules.IntLayerNorm(channels).to(kind)
    if affine:
        module.weight.data, module.bias.data = (torch.tensor(v, dtype=kind) for v in parameters(channels))
    y, step = module(*real_values(x, scale, dtype))
    if not affine:
        return integers(y / step)
    return integers(modules.fixedpoint_mul.apply(y.detach(), step.detach(), 8, "symmetric", torch.tensor([OUT_SCALE])))


def our_layer_norm(_scale: float, channels: int, affine: bool) -> tuple[Op, tuple[Array, ...]]:
    """Return LayerNormNewton and its constants, not requantized, or with the parameters as the lowering writes them."""
    if not affine:
        return LayerNormNewton(to=S32, low=S32.low, high=S32.high, shift=2), (
            np.full(channels, 4, np.int32),
            np.zeros(channels, np.int64),
        )
    gamma, beta = parameters(channels)
    unit = Fraction(math.sqrt(channels)) / (1 << VALUE_BITS) / Fraction(OUT_SCALE)
    multipliers, shift = common_shift([Fraction(float(g)) * unit for g in gamma], max_shift=53)
    bias = [round(Fraction(float(b)) / Fraction(OUT_SCALE) * (1 << shift)) for b in beta]
    op = LayerNormNewton(to=S8, low=S8.low, high=S8.high, shift=shift)
    return op, (np.array(multipliers, np.int32), np.array(bias, np.int64))


def layer_norm_comparison(channels: int, affine: bool) -> Comparison:
    """Return the comparison of I-LayerNorm for a number of channels."""
    return Comparison(
        f"I-LayerNorm {channels}{', to 8 bits' * affine}",
        functools.partial(original_layer_norm, affine=affine),
        functools.partial(our_layer_norm, channels=channels, affine=affine),
        functools.partial(layer_norm_cases, channels),
    )


LAYER_NORMS = tuple(layer_norm_comparison(channels, affine) for channels in (192, 768) for affine in (False, True))
