"""The published PyTorch modules of I-ViT, and what it takes to hold an operator of ours against one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Op

Array = NDArray[Any]


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
        original: `original(modules, x, scale, dtype)` runs the module on real values of a dtype, named as torch names it, and
            returns its integers.
        ours: the operator for a scale, and the constants that it reads.
        cases: inputs for both.
    """

    name: str
    original: Callable[[Any, Array, float, str], Array]
    ours: Callable[[float], tuple[Op, tuple[Array, ...]]]
    cases: Callable[[], Iterator[Case]]


def load_modules(clone: Path) -> Any:
    """Import the module file of a clone of I-ViT, with its tensors kept on the CPU."""
    import torch

    sys.path.insert(0, str(clone / "models"))
    torch.Tensor.cuda = lambda self, *_, **__: self
    from quantization_utils import quant_modules

    return quant_modules


def real_values(x: Array, scale: float, dtype: str) -> tuple[Any, Any]:
    """Return codes as a tensor of real values [1, rows, C], and the scale as a tensor [1]."""
    import torch

    kind = getattr(torch, dtype)
    step = torch.tensor([scale], dtype=kind)
    return torch.tensor(x.astype(np.int64)).to(kind)[None] * step, step


def integers(y: Any) -> Array:
    """Return a tensor [1, rows, C] of whole numbers as s64 [rows, C]; what is not finite becomes a number that no code is."""
    import torch

    found: Array = torch.nan_to_num(y[0].detach().double(), 2.0**62, 2.0**62, -(2.0**62)).round().to(torch.int64).numpy()
    return found
