"""Compare the operators that reproduce I-ViT with the published PyTorch modules, integer by integer.

    git clone https://github.com/zkkli/I-ViT && python tools/compare_ivit.py I-ViT

Needs torch. The published modules hold integers in floats. They run here as published, in float32, and once more in float64,
where every integer they have is exact: scales are float32 numbers and codes have 16 bits, so even `x * scale / scale` is `x`.
Differences in float64 are differences of meaning, and make the exit status 1. Those in float32 alone are the simulation's own:
codes that `x * scale / scale` does not give back (counted), a reciprocal of the scale that rounds to another integer, and
integers beyond 2^24.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Op, Operand, TensorType
from intvit.numerics import S16, Interval, IntType
from intvit.ops import Shiftmax

Array = NDArray[Any]
TOKENS = 197


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


def original_softmax(modules: Any, x: Array, scale: float, dtype: Any) -> Array:
    """Run `IntSoftmax` with its 16-bit output, as in ViT and DeiT."""
    import torch

    step = torch.tensor([scale], dtype=dtype)
    y, y_step = modules.IntSoftmax(output_bit=16)(torch.tensor(x.astype(np.int64)).to(dtype) * step, step)
    codes: Array = (y / y_step).round().to(torch.int64).numpy()
    return codes


def our_softmax(scale: float) -> tuple[Op, tuple[Array, ...]]:
    """Return Shiftmax for a scale."""
    return Shiftmax(to=S16, bits=16, unit=-floor(-1 / Fraction(scale)), n=15), ()


COMPARISONS = (Comparison("Shiftmax", original_softmax, our_softmax, softmax_cases),)
"""What is compared; ShiftGELU and I-LayerNorm belong here too."""


def is_proved(op: Op, case: Case, constants: tuple[Array, ...]) -> bool:
    """Whether the overflow certificate lets an operator have this input."""
    kind = IntType.of(case.x.dtype)
    inputs = [Operand(TensorType(kind, case.x.shape, 0), kind.interval)]
    for array in constants:
        whole = TensorType(IntType.of(array.dtype), array.shape)
        inputs.append(Operand(whole, Interval(int(array.min()), int(array.max())), array))
    return all(claim.holds for claim in op.bounds(inputs)[1])


def compare(comparison: Comparison, case: Case, modules: Any) -> tuple[str, int]:
    """Return the table row of one case, and how many elements differ in float64."""
    import torch

    step = np.float32(case.scale)
    op, constants = comparison.ours(float(step))
    head = f"| {comparison.name} | {case.name} | {IntType.of(case.x.dtype)} | {step:.4g} | {case.x.size} |"
    if not is_proved(op, case, constants):
        return f"{head} refused, an intermediate could overflow | | | |", 0
    (ours,) = op.reference(case.x, *constants)
    published, exact = (comparison.original(modules, case.x, float(step), kind) for kind in (torch.float32, torch.float64))
    differ, simulated = int((exact != ours).sum()), int((published != ours).sum())
    lost = int((case.x.astype(np.float32) * step / step != case.x).sum())
    return f"{head} {differ} | {simulated} | {int(np.abs(published - ours).max())} | {lost} |", differ


def main() -> int:
    """Print a table of all comparisons and return the exit status."""
    modules = load_modules(Path(sys.argv[1]))
    print("| operator | rows | codes | scale | elements | differ in float64 | differ in float32 | by at most | codes lost |")
    print("|---|---|---|---|---|---|---|---|---|")
    differ = 0
    for comparison in COMPARISONS:
        for case in comparison.cases():
            line, count = compare(comparison, case, modules)
            print(line)
            differ += count
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
