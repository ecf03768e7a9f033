"""The Numba type of a vector of integers, and short forms for what its functions emit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

Emit = Callable[..., Any]

I32 = ir.IntType(32)


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


def call(builder: Any, name: str, kind: Any, result: Any, *arguments: Any) -> Any:
    """Emit a call of an LLVM function that is overloaded on the vector type `kind`."""
    return call_named(builder, f"llvm.{name}.v{kind.count}{kind.element}", result, *arguments)


def call_named(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Emit a call of an LLVM function."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)  # type: ignore[no-untyped-call]


def shuffle(builder: Any, a: Any, b: Any, lanes: Iterable[int]) -> Any:
    """Emit those lanes of `a` and then `b`."""
    picked = list(lanes)
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(picked)), picked))


def repeat(builder: Any, number: Any, lanes: int) -> Any:
    """Emit a number in every lane."""
    undefined = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
    return shuffle(builder, builder.insert_element(undefined, number, I32(0)), undefined, [0] * lanes)


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
