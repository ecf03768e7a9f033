"""Compare GeluShift and LayerNormNewton with the published PyTorch modules of I-ViT, integer by integer.

    git clone https://github.com/zkkli/I-ViT && python tools/compare_ivit_gelu.py I-ViT

Needs torch. The published modules hold integers in floats. They run here as published, in float32, and once more in float64,
which holds all their integers exactly: scales are float32 numbers and codes have 16 bits, so even `x * scale / scale` is x.
Differences in float64 are differences of meaning, and make the exit status 1. Those in float32 alone are the simulation's own:
codes that `x * scale / scale` does not give back, 2^31 - 1 that becomes 2^31 (so that the sigmoid reaches 128), and sums and
products beyond 2^24.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Op
from intvit.numerics import S8, S32, common_shift
from intvit.ops import GeluShift, LayerNormNewton
from intvit.ops.layer_norm_newton import VALUE_BITS

Array = NDArray[Any]
WHOLE = {"to": S32, "low": S32.low, "high": S32.high, "shift": 2}
"""With a multiplier of 4, the value before it is requantized."""
SLOPE = Fraction(1702, 1000)
OUT_SCALE = float(np.float32(0.03))


@dataclass(frozen=True)
class Case:
    """Codes [rows, C] and their scale."""

    name: str
    x: Array
    scale: float


@dataclass(frozen=True)
class Comparison:
    """One operator and the module that it reproduces.

    Attributes:
        name: of both.
        original: `original(modules, x, scale, dtype)` runs the module on real values and returns its integers.
        ours: the operator for a scale, and the constants that it reads.
        cases: inputs for both.
    """

    name: str
    original: Callable[[Any, Array, float, Any], Array]
    ours: Callable[[float], tuple[Op, tuple[Array, ...]]]
    cases: Callable[[], Iterator[Case]]


def load_modules(clone: Path) -> Any:
    """Import the module file of a clone of I-ViT, with its tensors kept on the CPU."""
    import torch

    sys.path.insert(0, str(clone / "models"))
    torch.Tensor.cuda = lambda self, *_, **__: self
    from quantization_utils import quant_modules

    return quant_modules


def real_values(x: Array, scale: float, dtype: Any) -> tuple[Any, Any]:
    """Return codes as a tensor of real values [1, rows, C], and the scale as a tensor [1]."""
    import torch

    step = torch.tensor([scale], dtype=dtype)
    return torch.tensor(x.astype(np.int64)).to(dtype)[None] * step, step


def integers(y: Any) -> Array:
    """Return a tensor [1, rows, C] of whole numbers as s64 [rows, C]; what is not finite becomes a number that no code is."""
    import torch

    found: Array = torch.nan_to_num(y[0].detach().double(), 2.0**62, 2.0**62, -(2.0**62)).round().to(torch.int64).numpy()
    return found


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


def original_gelu(modules: Any, x: Array, scale: float, dtype: Any) -> Array:
    """Run `IntGELU`."""
    y, step = modules.IntGELU()(*real_values(x, scale, dtype))
    return integers(y / step)


def our_gelu(scale: float) -> tuple[Op, tuple[Array, ...]]:
    """Return GeluShift for a scale, not requantized."""
    return GeluShift(unit=math.ceil(1 / (SLOPE * Fraction(scale))), n=23, **WHOLE), (np.array([4], np.int32),)


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


def original_layer_norm(modules: Any, x: Array, scale: float, dtype: Any, affine: bool) -> Array:
    """Run `IntLayerNorm` with gamma 1 and beta 0, or with parameters and the requantization to 8 bits behind it."""
    import torch

    channels = x.shape[1]
    module = modules.IntLayerNorm(channels).to(dtype)
    if affine:
        module.weight.data, module.bias.data = (torch.tensor(v, dtype=dtype) for v in parameters(channels))
    y, step = module(*real_values(x, scale, dtype))
    if not affine:
        return integers(y / step)
    return integers(modules.fixedpoint_mul.apply(y.detach(), step.detach(), 8, "symmetric", torch.tensor([OUT_SCALE])))


def our_layer_norm(_scale: float, channels: int, affine: bool) -> tuple[Op, tuple[Array, ...]]:
    """Return LayerNormNewton and its constants, not requantized, or with the parameters as the lowering writes them."""
    if not affine:
        return LayerNormNewton(**WHOLE), (np.full(channels, 4, np.int32), np.zeros(channels, np.int64))
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


COMPARISONS = (
    Comparison("ShiftGELU", original_gelu, our_gelu, gelu_cases),
    *(layer_norm_comparison(channels, affine) for channels in (192, 768) for affine in (False, True)),
)


def compare(comparison: Comparison, case: Case, modules: Any) -> tuple[str, int]:
    """Return the table row of one case, and how many elements differ in float64."""
    import torch

    step = float(np.float32(case.scale))
    op, constants = comparison.ours(step)
    (ours,) = op.reference(case.x, *constants)
    published, exact = (comparison.original(modules, case.x, step, kind) for kind in (torch.float32, torch.float64))
    differ, simulated = int((exact != ours).sum()), int((published != ours).sum())
    head = f"| {comparison.name} | {case.name} | {step:.4g} | {case.x.size} |"
    return f"{head} {differ} | {simulated} | {int(np.abs(published - ours).max())} |", differ


def main() -> int:
    """Print a table of all comparisons and return the exit status."""
    modules = load_modules(Path(sys.argv[1]))
    print("| operator | rows | scale | elements | differ in float64 | differ in float32 | by at most |")
    print("|---|---|---|---|---|---|---|")
    differ = 0
    for comparison in COMPARISONS:
        for case in comparison.cases():
            line, count = compare(comparison, case, modules)
            print(line)
            differ += count
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
