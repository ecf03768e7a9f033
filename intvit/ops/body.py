"""Fragments of ONNX function bodies, in ONNX's textual syntax: integer operators only.

ONNX `BitShift` is unsigned, so an arithmetic shift lifts its operand by 2**62 first, shifts as uint64 and subtracts the shifted
lift; the certificate proves the operand to be inside 63 bits.
"""

from __future__ import annotations

from collections.abc import Sequence

UINT8, INT16, INT32, INT64, UINT64 = 2, 5, 6, 7, 13


def constant(name: str, value: int) -> str:
    """Define the int64 scalar `name`."""
    return f"{name} = Constant <value_int = {value}> ()\n"


def attribute(name: str) -> str:
    """Define the int64 scalar `name` from the operator's attribute of that name."""
    return f"{name} = Constant <value_int: int = @{name}> ()\n"


def cast(x: str, to: int, y: str) -> str:
    """Define `y` as `x` in another type (an ONNX type number)."""
    return f"{y} = Cast <to = {to}> ({x})\n"


def shift_right(x: str, shift: str, y: str) -> str:
    """Define the int64 tensor `y = floor(x / 2**shift)` for int64 `x` and int64 `shift`."""
    return (
        constant(f"{y}_lift", 1 << 62)
        + cast(f"{y}_lift", UINT64, f"{y}_lift_u")
        + cast(shift, UINT64, f"{y}_shift_u")
        + f"{y}_lifted = Add ({x}, {y}_lift)\n"
        + cast(f"{y}_lifted", UINT64, f"{y}_lifted_u")
        + f'{y}_high_u = BitShift <direction = "RIGHT"> ({y}_lifted_u, {y}_shift_u)\n'
        + f'{y}_base_u = BitShift <direction = "RIGHT"> ({y}_lift_u, {y}_shift_u)\n'
        + cast(f"{y}_high_u", INT64, f"{y}_high")
        + cast(f"{y}_base_u", INT64, f"{y}_base")
        + f"{y} = Sub ({y}_high, {y}_base)\n"
    )


def power_of_two(exponent: str, y: str) -> str:
    """Define the int64 tensor `y = 2**exponent` for int64 `exponent` in 0..62."""
    return (
        constant(f"{y}_one", 1)
        + cast(f"{y}_one", UINT64, f"{y}_one_u")
        + cast(exponent, UINT64, f"{y}_exponent_u")
        + f'{y}_u = BitShift <direction = "LEFT"> ({y}_one_u, {y}_exponent_u)\n'
        + cast(f"{y}_u", INT64, y)
    )


def round_shift(x: str, shift: str, y: str) -> str:
    """Define the int64 tensor `y = (x + 2**(shift - 1)) >> shift`, the rounding half of `rescale`."""
    return (
        constant(f"{y}_unit", 1)
        + f"{y}_half_bits = Sub ({shift}, {y}_unit)\n"
        + power_of_two(f"{y}_half_bits", f"{y}_half")
        + f"{y}_sum = Add ({x}, {y}_half)\n"
        + shift_right(f"{y}_sum", shift, y)
    )


def rescale(x: str, multiplier: str, shift: str, y: str) -> str:
    """Define the int64 tensor `y = rescale(x, multiplier, shift)` for integer `x` and `multiplier` and int64 `shift`."""
    return (
        cast(x, INT64, f"{y}_wide")
        + cast(multiplier, INT64, f"{y}_multiplier")
        + f"{y}_product = Mul ({y}_wide, {y}_multiplier)\n"
        + round_shift(f"{y}_product", shift, y)
    )


def repeated(x: str, values: Sequence[int], y: str) -> str:
    """Define the int64 vector `y`, as long as the last axis of `x`, of `values` again and again."""
    return (
        f"{y}_columns = Shape <start = -1> ({x})\n{y}_length = Squeeze ({y}_columns)\n"
        + constant(f"{y}_zero", 0)
        + constant(f"{y}_one", 1)
        + f"{y}_position = Range ({y}_zero, {y}_length, {y}_one)\n"
        + constant(f"{y}_period", len(values))
        + f"{y}_place = Mod ({y}_position, {y}_period)\n"
        + f"{y}_values = Constant <value_ints = [{', '.join(map(str, values))}]> ()\n"
        + f"{y} = Gather ({y}_values, {y}_place)\n"
    )


def at_most(x: str, limit: str, y: str) -> str:
    """Define `y` as the smaller of int64 `x` and `limit`; ONNX Runtime's `Min` and `Clip` are wrong on int64 beyond 32 bits."""
    return f"{y}_over = Greater ({x}, {limit})\n{y} = Where ({y}_over, {limit}, {x})\n"


def at_least(x: str, limit: str, y: str) -> str:
    """Define `y` as the larger of int64 `x` and `limit`."""
    return f"{y}_under = Less ({x}, {limit})\n{y} = Where ({y}_under, {limit}, {x})\n"


def output(x: str, y: str = "y") -> str:
    """Add `zero_point` to int64 `x`, clip to `[low, high]` and cast to the type `to`; all four are attributes."""
    return (
        attribute("zero_point")
        + attribute("low")
        + attribute("high")
        + f"{y}_moved = Add ({x}, zero_point)\n"
        + at_most(f"{y}_moved", "high", f"{y}_capped")
        + at_least(f"{y}_capped", "low", f"{y}_clipped")
        + f"{y} = Cast <to: int = @to> ({y}_clipped)\n"
    )
