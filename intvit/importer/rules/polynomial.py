"""Read a small piece of a graph as a polynomial, so that the order of its sums and products does not matter."""

from collections.abc import Mapping

import onnx_ir as ir

from intvit.importer.rewrite import produced_by, scalar_of

Powers = tuple[int, ...]
Polynomial = dict[Powers, float]
_OPS = ("Add", "Sub", "Mul", "Pow", "Div")
_MAX_DEGREE = 4


def polynomial_of(value: ir.Value | None, symbols: tuple[ir.Value, ...], depth: int = 12) -> Polynomial | None:
    """Return a value as a polynomial in the given values.

    Args:
        value: what to read.
        symbols: the values that stand for themselves.
        depth: how many nodes deep to read.

    Returns:
        The coefficient of each product of powers of the symbols, or None if the value is no such polynomial.
    """
    for index, symbol in enumerate(symbols):
        if value is symbol:
            return {tuple(int(i == index) for i in range(len(symbols))): 1.0}
    number = scalar_of(value)
    if number is not None:
        return {(0,) * len(symbols): number}
    node = produced_by(value, *_OPS)
    if node is None or depth == 0:
        return None
    left = polynomial_of(node.inputs[0], symbols, depth - 1)
    right = None if left is None else polynomial_of(node.inputs[1], symbols, depth - 1)
    return None if left is None or right is None else _combine(node.op_type, left, right)


def _combine(op_type: str, left: Polynomial, right: Polynomial) -> Polynomial | None:
    one = (0,) * len(next(iter(left)))
    number = right[one] if list(right) == [one] else None
    match op_type:
        case "Add":
            return _add(left, right, 1.0)
        case "Sub":
            return _add(left, right, -1.0)
        case "Mul":
            return _multiply(left, right)
        case "Div":
            return None if not number else _multiply(left, {one: 1.0 / number})
        case "Pow" if number in (1.0, 2.0, 3.0):
            result: Polynomial | None = {one: 1.0}
            for _ in range(int(number)):
                result = None if result is None else _multiply(result, left)
            return result
    return None


def _add(left: Polynomial, right: Polynomial, sign: float) -> Polynomial:
    return {powers: left.get(powers, 0.0) + sign * right.get(powers, 0.0) for powers in {**left, **right}}


def _multiply(left: Polynomial, right: Polynomial) -> Polynomial | None:
    product: Polynomial = {}
    for p, a in left.items():
        for q, b in right.items():
            powers = tuple(i + j for i, j in zip(p, q, strict=True))
            product[powers] = product.get(powers, 0.0) + a * b
    return product if max(map(sum, product)) <= _MAX_DEGREE else None


def is_close(found: Polynomial | None, wanted: Mapping[Powers, float], tolerance: float = 1e-3) -> bool:
    """Tell whether a polynomial has exactly the wanted terms, each coefficient to a relative tolerance."""
    if found is None or found.keys() != wanted.keys():
        return False
    return all(abs(found[powers] - wanted[powers]) <= tolerance * abs(wanted[powers]) for powers in wanted)
