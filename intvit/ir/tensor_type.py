"""The type of a tensor: element type, shape, and which axis carries the batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from intvit.numerics import IntType


@dataclass(frozen=True, slots=True)
class TensorType:
    """Element type and shape of a tensor.

    Attributes:
        dtype: the element type.
        shape: the dimensions at batch size 1.
        batch_axis: the axis whose length is `shape[batch_axis] * N` at batch size N; None for constants.
    """

    dtype: IntType
    shape: tuple[int, ...]
    batch_axis: int | None = None

    def __str__(self) -> str:
        dims = [str(d) for d in self.shape]
        if self.batch_axis is not None:
            d = self.shape[self.batch_axis]
            dims[self.batch_axis] = "N" if d == 1 else f"{d}*N"
        return f"{self.dtype}[{','.join(dims)}]"

    @property
    def size(self) -> int:
        """The number of elements at batch size 1."""
        return math.prod(self.shape)

    def at_batch(self, batch: int) -> tuple[int, ...]:
        """Return the shape at batch size `batch`."""
        return tuple(d * batch if i == self.batch_axis else d for i, d in enumerate(self.shape))
