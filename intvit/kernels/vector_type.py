"""The Numba type of a vector of integers, and what its functions emit that depends on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

from intvit.kernels.vector_ir import call

Emit = Callable[..., Any]


class VectorType(types.Type):
    """The type of vectors with so many lanes of an integer type."""

    def __init__(self, element: Any, lanes: int) -> None:
        self.element, self.lanes = element, lanes
        super().__init__(name=f"vector({element} x {lanes})")

    @property
    def llvm(self) -> Any:
        """The LLVM type."""
        return ir.VectorType(ir.IntType(self.element.bitwidth), self.lanes)

    def of(self, element: Any) -> VectorType:
        """Return the type with as many lanes of another integer."""
        return VectorType(element, self.lanes)

    def halves(self) -> VectorType:
        """Return the type with twice as many lanes of half the width."""
        return VectorType(self._integer(self.element.bitwidth // 2), 2 * self.lanes)

    def pairs(self) -> VectorType:
        """Return the type with half as many lanes of twice the width."""
        return VectorType(self._integer(2 * self.element.bitwidth), self.lanes // 2)

    def _integer(self, bits: int) -> Any:
        return types.Integer.from_bitwidth(bits, self.element.signed)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: VectorType) -> None:
        super().__init__(manager, kind, kind.llvm)  # type: ignore[no-untyped-call]


def vector_function(function: Emit) -> Any:
    """Make a function of Numba types, which returns a signature and what emits the code for it, callable from kernels."""
    made: Any = intrinsic(prefer_literal=True)(function)
    return made


def call_overloaded(builder: Any, name: str, kind: Any, result: Any, *arguments: Any) -> Any:
    """Emit a call of an LLVM function that is overloaded on the vector type `kind`."""
    return call(builder, f"llvm.{name}.v{kind.count}{kind.element}", result, *arguments)


def lane_numbers(kind: Any) -> Any:
    """Return the LLVM vector 0, 1, 2, ..."""
    return ir.Constant(kind, list(range(kind.count)))


def resize(builder: Any, value: Any, kind: VectorType, element: Any) -> Any:
    """Emit lanes of another integer type: extended as their own type demands, or cut."""
    target, more = kind.of(element).llvm, element.bitwidth - kind.element.bitwidth
    if more < 0:
        return builder.trunc(value, target)
    if more > 0:
        return (builder.sext if kind.element.signed else builder.zext)(value, target)
    return value


def shift_right(builder: Any, kind: VectorType, a: Any, b: Any) -> Any:
    """Emit the shift that the lanes' type demands."""
    return builder.ashr(a, b) if kind.element.signed else builder.lshr(a, b)
