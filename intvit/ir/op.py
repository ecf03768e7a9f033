"""What an operator must be: the base class of everything in `intvit.ops`."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from numpy.typing import NDArray

from intvit.ir.tensor_type import TensorType
from intvit.numerics import Interval, IntType

Array = NDArray[Any]


class OpTypeError(Exception):
    """An operator was given inputs that it does not take; the text says which and what it takes."""


@dataclass(frozen=True, slots=True)
class Operand:
    """What is known of an input when ranges are computed: its type, its interval, and its value if constant."""

    type: TensorType
    interval: Interval
    value: Array | None = None

    @property
    def constant(self) -> Array:
        """The value of an input that must be constant.

        Raises:
            OpTypeError: the input is not constant.
        """
        if self.value is None:
            raise OpTypeError("this input must be a constant of the graph")
        return self.value


@dataclass(frozen=True, slots=True)
class Bound:
    """A claim of the overflow certificate: `quantity` stays in `interval`, which must lie inside `type`."""

    quantity: str
    interval: Interval
    type: IntType

    @property
    def holds(self) -> bool:
        """Whether the interval lies inside the type."""
        return self.interval in self.type.interval

    @property
    def slack_bits(self) -> int:
        """Bits to spare; negative where the claim does not hold."""
        return self.type.slack_bits(self.interval)


class Op(ABC):
    """An operator: a frozen dataclass of integer attributes that knows its types, ranges, meaning and ONNX body.

    Attributes are `int`, `tuple[int, ...]` or `IntType`. Constants (weights, multipliers, tables) are inputs.
    """

    version: ClassVar[int] = 1
    input_names: ClassVar[tuple[str, ...]]
    output_names: ClassVar[tuple[str, ...]] = ("y",)
    four_bit_inputs: ClassVar[frozenset[str]] = frozenset()
    """Inputs that the body casts before all else, so that a file may hold their constants in four bits."""
    body: ClassVar[str]
    """Statements of the ONNX function that defines the operator, in ONNX's textual syntax, integer operators only."""

    @classmethod
    def kind(cls) -> str:
        """Return the operator's name in files and in text."""
        return cls.__name__

    def attributes(self) -> dict[str, int | tuple[int, ...] | IntType]:
        """Return attribute names and values, in the order of declaration."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    @abstractmethod
    def infer(self, inputs: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """Return the output types.

        Raises:
            OpTypeError: the inputs don't fit the operator.
        """

    @abstractmethod
    def bounds(self, inputs: Sequence[Operand]) -> tuple[tuple[Interval, ...], tuple[Bound, ...]]:
        """Return the outputs' intervals and a claim for every intermediate that could overflow."""

    @abstractmethod
    def reference(self, *inputs: Array) -> tuple[Array, ...]:
        """Compute the outputs in NumPy: the meaning of the operator, which every faster way must equal."""


def require(condition: bool, message: str) -> None:
    """Raise `OpTypeError(message)` unless `condition` holds."""
    if not condition:
        raise OpTypeError(message)
