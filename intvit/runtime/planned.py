"""What a plan is made of: steps, and where their operands lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.runtime.prepared import Binder

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class View:
    """A strided array inside a buffer of the arena."""

    buffer: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]

    def on(self, arena: Array, offsets: Sequence[int]) -> Array:
        """Return the array itself, for an arena in which buffer i starts at `offsets[i]`."""
        return np.ndarray(self.shape, self.dtype, arena.data, offsets[self.buffer] + self.offset, self.strides)


COPY = "copy"
"""The kind of the steps that only move data."""

Source = View | Array
"""Where a value lies: in the arena, or in a constant of its own."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One kernel call without its memory.

    Attributes:
        node: the first node that it computes.
        kind: the kind of its operators.
        bind: makes the kernel call.
        inputs, outputs, scratch: what `bind` gets.
        weights: as in `Prepared`.
    """

    node: str
    kind: str
    bind: Binder
    inputs: tuple[Source, ...]
    outputs: tuple[View, ...]
    scratch: tuple[View, ...]
    weights: Array | None = None


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One step, or two that run side by side; `parts` as in `intvit.kernels.program.Stage`."""

    steps: tuple[PlannedStep, ...]
    parts: int = 1

    @property
    def nodes(self) -> tuple[str, ...]:
        """The first node of each step."""
        return tuple(step.node for step in self.steps)

    @property
    def kind(self) -> str:
        """The kind of the steps' operators, or both kinds if they differ."""
        return " beside ".join(dict.fromkeys(step.kind for step in self.steps))
