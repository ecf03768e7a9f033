"""Compare the operators that reproduce I-ViT with its published PyTorch modules, integer by integer.

    git clone https://github.com/zkkli/I-ViT && python tools/compare_ivit.py I-ViT

Needs torch. The published modules hold integers in floats. They run here as published, in float32, and once more in float64,
which holds all their integers exactly: scales are float32 numbers and codes have 16 bits, so even `x * scale / scale` is `x`.
Differences in float64 are differences of meaning, and make the exit status 1. Those in float32 alone are the simulation's own:
codes that `x * scale / scale` does not give back (counted), a reciprocal of the scale that rounds to another integer, 2^31 - 1
that becomes 2^31 (so that the sigmoid reaches 128), and integers beyond 2^24.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ivit_layer_norm import LAYER_NORMS
from ivit_modules import Array, Case, Comparison, load_modules
from ivit_shift_gelu import SHIFT_GELU
from ivit_shiftmax import SHIFTMAX

from intvit.ir import Op, Operand, TensorType
from intvit.numerics import Interval, IntType

COMPARISONS = (SHIFTMAX, SHIFT_GELU, *LAYER_NORMS)
HEADER = """\
| operator | rows | codes | scale | elements | differ in float64 | differ in float32 | by at most | codes lost |
|---|---|---|---|---|---|---|---|---|"""


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
    step = np.float32(case.scale)
    op, constants = comparison.ours(float(step))
    head = f"| {comparison.name} | {case.name} | {IntType.of(case.x.dtype)} | {step:.4g} | {case.x.size} |"
    if not is_proved(op, case, constants):
        return f"{head} refused, an intermediate could overflow | | | |", 0
    (ours,) = op.reference(case.x, *constants)
    published, exact = (comparison.original(modules, case.x, float(step), kind) for kind in ("float32", "float64"))
    differ, simulated = int((exact != ours).sum()), int((published != ours).sum())
    lost = int((case.x.astype(np.float32) * step / step != case.x).sum())
    return f"{head} {differ} | {simulated} | {int(np.abs(published - ours).max())} | {lost} |", differ


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table of all comparisons and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clone", type=Path, help="the folder of I-ViT's source")
    modules = load_modules(parser.parse_args(arguments).clone)
    print(HEADER)
    differ = 0
    for comparison in COMPARISONS:
        for case in comparison.cases():
            line, count = compare(comparison, case, modules)
            print(line)
            differ += count
    return int(differ > 0)


if __name__ == "__main__":
    sys.exit(main())
