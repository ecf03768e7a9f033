"""Compare `GeluShift` and `LayerNormNewton` with I-ViT's own PyTorch modules and print how many elements differ.

    python tools/compare_ivit_gelu.py --ivit FOLDER      (a checkout of github.com/zkkli/I-ViT; needs PyTorch, but no GPU)

The published modules simulate integers in floating point. Each is run in float32, as published, and in float64, which holds
codes times a float32 scale exactly; ours is run on the same codes and scales. Counted are the elements that differ before the
output is requantized to 8 bits, and after it.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S8, Dyadic, common_shift
from intvit.ops import GeluShift, LayerNormNewton
from intvit.ops.layer_norm_newton import NUMERATOR, VALUE_BITS, newton_root, rounded_mean

Array = NDArray[Any]
PRECISIONS = (np.float32, np.float64)
SLOPE = Fraction(1702, 1000)


class Row(NamedTuple):
    """One line of the table: a count of elements that differ, and the largest difference, before and after requantizing."""

    module: str
    inputs: str
    precision: str
    elements: int
    differ: int
    largest: int
    differ_8: int
    largest_8: int


def load_original(folder: Path) -> Any:
    """Return the original's module of quantized layers, with `.cuda()` made to do nothing.

    Raises:
        ImportError: the folder is not a checkout of I-ViT.
    """
    import torch

    sys.path.insert(0, str(folder / "models"))
    torch.Tensor.cuda = lambda self, *_a, **_k: self
    from quantization_utils import quant_modules

    return quant_modules


def differences(ours: Array, theirs: Array) -> tuple[int, int]:
    """Return how many elements differ and by how much at most; what is not finite differs by 2^62."""
    theirs = np.where(np.isfinite(theirs), theirs, 2.0**62)
    gap = np.abs(ours.astype(np.float64) - theirs)
    return int((gap != 0).sum()), int(gap.max())


def real_values(codes: Array, scale: float, precision: type[np.floating[Any]]) -> tuple[Any, Any]:
    """Return the codes as real values, [1, rows, C], and the scale, [1], as tensors of a precision."""
    import torch

    step = precision(scale)
    return torch.tensor(codes.astype(precision) * step)[None], torch.tensor([step])


def gelu_inputs() -> Iterator[tuple[str, float, Array]]:
    """Yield the name, the scale and the codes [rows, C] of each input of GELU."""
    rng = np.random.default_rng(0)
    normal = np.clip(np.round(rng.normal(-8, 25, (400, 768))), -128, 127)
    uniform = rng.integers(-128, 128, (400, 768)).astype(np.float64)
    codes = np.arange(-128.0, 128.0)
    for scale in (0.02, 0.05, 12 / 127, 0.25):
        yield f"normal, scale {scale:.4g}", scale, normal
        yield f"uniform, scale {scale:.4g}", scale, uniform
    yield "every maximum and code, scale 2^-4", 2.0**-4, np.minimum(codes, codes[:, None])
    yield "every maximum and code, scale 0.05", 0.05, np.minimum(codes, codes[:, None])
    yield "every maximum and code, scale 1 (e0 beyond 2^128)", 1.0, np.minimum(codes, codes[:, None])
    yield "every maximum and code, scale 0.001 (e beyond 2^31)", 0.001, np.minimum(codes, codes[:, None])


def compare_gelu(original: Any) -> Iterator[Row]:
    """Yield the comparison of `IntGELU` and `GeluShift` on each input."""
    import torch

    for name, nominal, codes in gelu_inputs():
        scale = float(np.float32(nominal))
        unit = math.ceil(1 / (SLOPE * Fraction(scale)))
        out_scale = float(np.float32(max(float(codes.max()) * scale, scale) / S8.high))
        dyadic = Dyadic.nearest(Fraction(scale) / 128 / Fraction(out_scale))
        op = GeluShift(unit=unit, n=23, to=S8, low=S8.low, high=S8.high, shift=dyadic.shift)
        value = op.value(codes.astype(np.int64))
        (ours_8,) = op.reference(codes.astype(np.int8), np.array([dyadic.multiplier], np.int32))
        for precision in PRECISIONS:
            x, s = real_values(codes, scale, precision)
            y, step = original.IntGELU()(x, s)
            theirs_8 = original.fixedpoint_mul.apply(y, step, 8, "symmetric", torch.tensor([out_scale]))
            theirs = np.round(y[0].double().numpy() / step.double().numpy())
            counts = *differences(value, theirs), *differences(ours_8, theirs_8[0].numpy())
            yield Row("GELU", name, precision.__name__, value.size, *counts)


def layer_norm_inputs() -> Iterator[tuple[str, Array]]:
    """Yield the name and the codes [rows, C] of each input of LayerNorm."""
    rng = np.random.default_rng(1)
    for channels in (192, 768):
        yield f"normal, C {channels}, deviation 3000", np.round(rng.normal(50, 3000, (200, channels)))
        yield f"normal, C {channels}, deviation 4", np.round(rng.normal(0, 4, (200, channels)))
        yield f"uniform s16, C {channels}", rng.integers(-32768, 32768, (200, channels)).astype(np.float64)
        yield f"ends of s16, C {channels}", rng.choice([-32768.0, 32767.0], (200, channels))
    yield "means that are ties, C 192", rng.integers(0, 2, (200, 192)) * 1.0
    yield "constant rows, C 192", np.repeat(np.arange(-100.0, 100.0)[:, None], 192, 1)


def compare_layer_norm(original: Any) -> Iterator[Row]:
    """Yield the comparison of `IntLayerNorm` and `LayerNormNewton` on each input."""
    import torch

    rng = np.random.default_rng(2)
    for name, codes in layer_norm_inputs():
        channels = codes.shape[1]
        gamma, beta = rng.normal(0.7, 0.4, channels), rng.normal(0, 0.5, channels)
        gamma, beta = (v.astype(np.float32).astype(np.float64) for v in (gamma, beta))
        out_scale = float(np.float32(4 * float(np.abs(gamma).max()) / S8.high))
        d = codes.astype(np.int64) - rounded_mean(codes.astype(np.int64))
        z = (d * (NUMERATOR // newton_root((d * d).sum(-1, keepdims=True)))) >> 1
        ours_8 = _integer_layer_norm(codes, gamma, beta, out_scale)
        for precision in PRECISIONS:
            x, s = real_values(codes, float(np.float32(0.0007)), precision)
            plain = _original_layer_norm(original, np.ones(channels), np.zeros(channels), s.dtype)
            y, step = plain(x, s)
            theirs = np.round(y[0].detach().double().numpy() / step.detach().double().numpy())
            y, step = _original_layer_norm(original, gamma, beta, s.dtype)(x, s)
            theirs_8 = original.fixedpoint_mul.apply(y.detach(), step.detach(), 8, "symmetric", torch.tensor([out_scale]))
            counts = *differences(z, theirs), *differences(ours_8, theirs_8[0].numpy())
            yield Row("LayerNorm", name, precision.__name__, z.size, *counts)


def _original_layer_norm(original: Any, gamma: Array, beta: Array, kind: Any) -> Any:
    import torch

    module = original.IntLayerNorm(len(gamma)).to(kind)
    module.weight.data, module.bias.data = torch.tensor(gamma, dtype=kind), torch.tensor(beta, dtype=kind)
    return module


def _integer_layer_norm(codes: Array, gamma: Array, beta: Array, out_scale: float) -> Array:
    """Return the 8-bit codes of `LayerNormNewton`, with gamma and beta as the lowering writes them."""
    unit = Fraction(math.sqrt(len(gamma))) / (1 << VALUE_BITS) / Fraction(out_scale)
    multipliers, shift = common_shift([Fraction(float(g)) * unit for g in gamma], max_shift=54)
    bias = np.array([round(Fraction(float(b)) / Fraction(out_scale) * (1 << shift)) for b in beta], np.int64)
    op = LayerNormNewton(to=S8, low=S8.low, high=S8.high, shift=shift)
    return op.reference(codes.astype(np.int16), np.array(multipliers, np.int32), bias)[0]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ivit", type=Path, required=True, help="a checkout of I-ViT")
    original = load_original(parser.parse_args().ivit)
    print("| module | input | original in | elements | exact: differ | by at most | 8 bits: differ | by at most |")
    print("|---|---|---|---|---|---|---|---|")
    for compare in (compare_gelu, compare_layer_norm):
        for row in compare(original):
            print("| " + " | ".join(map(str, row)) + " |", flush=True)


if __name__ == "__main__":
    main()
