"""How real values are written as integers: `real = scale * (code - zero_point)`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import Interval, IntType

Array = NDArray[Any]


@dataclass(frozen=True)
class Encoding:
    """The meaning of a tensor's codes.

    Attributes:
        dtype: the code's type.
        scale: float64, positive, of the tensor's rank (batch size 1), 1 along every axis on which it does not vary.
        zero_point: float64 of the same kind of shape; whole numbers, but for the pixels.
        span: the codes in use where they are fewer than the type's: for fewer bits, or so that an accumulator can't overflow.
    """

    dtype: IntType
    scale: Array
    zero_point: Array
    span: Interval | None = None

    @property
    def low(self) -> int:
        """The smallest code."""
        return (self.span or self.dtype.interval).low

    @property
    def high(self) -> int:
        """The largest code."""
        return (self.span or self.dtype.interval).high

    @property
    def per_tensor(self) -> bool:
        """Whether one scale and one zero point serve all elements."""
        return self.scale.size == 1 and self.zero_point.size == 1

    def agrees_with(self, other: Encoding) -> bool:
        """Whether the codes of both mean the same."""
        same_points = bool((self.zero_point == other.zero_point).all())
        return self.dtype == other.dtype and same_points and bool((self.scale == other.scale).all())

    def scaled(self, factor: float) -> Encoding:
        """Return the encoding of `factor` (positive) times the values: the codes stay."""
        return replace(self, scale=self.scale * factor)

    def codes(self, real: Array) -> Array:
        """Return real values as codes, rounded half up and saturated (float64 holding whole numbers)."""
        return np.clip(np.floor(real / self.scale + self.zero_point + 0.5), self.low, self.high)

    def real(self, codes: Array) -> Array:
        """Return codes as float64 real values."""
        return (codes - self.zero_point) * self.scale

    def to_metadata(self) -> dict[str, str]:
        """Return the encoding as text for a node's metadata."""
        return {"scale": _to_text(self.scale), "zero_point": _to_text(self.zero_point)}

    @staticmethod
    def from_metadata(dtype: IntType, metadata: Mapping[str, str]) -> Encoding:
        """Read what `to_metadata` wrote.

        Raises:
            KeyError, ValueError: the metadata holds no encoding.
        """
        return Encoding(dtype, _from_text(metadata["scale"]), _from_text(metadata["zero_point"]))


def _to_text(array: Array) -> str:
    return json.dumps({"shape": array.shape, "values": [repr(float(v)) for v in array.reshape(-1)]}, separators=(",", ":"))


def _from_text(text: str) -> Array:
    parsed = json.loads(text)
    return np.array([float(v) for v in parsed["values"]]).reshape(parsed["shape"])


def per_tensor(dtype: IntType, scale: float, rank: int, zero_point: int = 0) -> Encoding:
    """Return a one-scale encoding for tensors of some rank."""
    return Encoding(dtype, np.full((1,) * rank, scale), np.full((1,) * rank, float(zero_point)))


def compress(array: Array) -> Array:
    """Reduce every axis on which `array` does not vary to length 1."""
    for axis in range(array.ndim):
        first = array.take([0], axis)
        if array.shape[axis] > 1 and bool((array == first).all()):
            array = first
    return array
