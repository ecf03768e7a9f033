"""What an operator costs: integer operations an element, counted while its reference runs; bits, from its certificate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import TensorType
from intvit.ir.op import Op, Operand
from intvit.numerics import Interval, IntType

Array = NDArray[Any]
_UFUNCS = {
    "multiply": ("multiply", "square", "power"),
    "divide": ("floor_divide", "remainder", "divmod"),
    "add": ("add", "subtract", "negative"),
    "shift or mask": ("left_shift", "right_shift", "bitwise_and", "bitwise_or", "bitwise_xor", "invert"),
    "compare or select": (
        *("maximum", "minimum", "clip", "absolute", "sign", "where"),
        *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "logical_and", "logical_or", "logical_not"),
    ),
}
LOOK_UP = "look-up"
KINDS = (*_UFUNCS, LOOK_UP)
"""The kinds of operations that are told apart."""
_KIND_OF = {name: kind for kind, names in _UFUNCS.items() for name in names}


def count_operations(op: Op, inputs: Sequence[Array]) -> Mapping[str, float]:
    """Run an operator's reference and return how many operations of each kind it takes for an element of its first input.

    Every NumPy operation on what comes from the first input counts once an element of its result, a reduction once an element
    that goes in. Work done once a row is spread over the row. Copies, conversions of types and reductions to a single number,
    which only check something, are free.

    Raises:
        ValueError: the reference uses an operation that is of no known kind.
    """
    counts: Counter[str] = Counter()

    class Counted(np.ndarray[Any, Any]):
        """An array whose operations are counted."""

        def __array_ufunc__(self, ufunc: np.ufunc, method: str, *operands: Any, **options: Any) -> Any:
            if ufunc.__name__ not in _KIND_OF:
                raise ValueError(f"{op.kind()} uses {ufunc.__name__}, which is of no kind in tools/operation_counts.py")
            plain = [np.asarray(a) if isinstance(a, Counted) else a for a in operands]
            found = getattr(ufunc, method)(*plain, **options)
            results = [np.asarray(part).view(Counted) for part in (found if isinstance(found, tuple) else (found,))]
            if method != "reduce":
                counts[_KIND_OF[ufunc.__name__]] += results[0].size * _times(ufunc, plain)
            elif results[0].ndim:
                counts[_KIND_OF[ufunc.__name__]] += np.size(plain[0])
            return tuple(results) if isinstance(found, tuple) else results[0]

        def __array_function__(self, function: Any, types: Any, operands: Any, options: Any) -> Any:
            result = super().__array_function__(function, types, operands, options)
            if function is np.where:
                counts[_KIND_OF["where"]] += result.size
            return result

        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, np.ndarray):
                counts[LOOK_UP] += key.size
            return super().__getitem__(key)

    op.reference(*(array.view(Counted) for array in inputs))
    return {kind: counts[kind] / inputs[0].size for kind in KINDS}


def _times(ufunc: np.ufunc, operands: Sequence[Any]) -> int:
    """Return how many operations a call is for an element: a power is so many squarings and products."""
    if ufunc is not np.power:
        return 1
    exponent = int(operands[1])
    return exponent.bit_length() - 1 + exponent.bit_count() - 1


def widest_intermediate(op: Op, inputs: Sequence[Array]) -> tuple[int, str]:
    """Return the bits and the name of the widest intermediate that is claimed, for any first input of that shape and range."""
    operands = []
    for i, array in enumerate(inputs):
        kind = TensorType(IntType.of(array.dtype), array.shape, 0 if i == 0 else None)
        operands.append(Operand(kind, Interval(int(array.min()), int(array.max())), array if i else None))
    _, claims = op.bounds(operands)
    return max((claim.type.bits - claim.slack_bits, claim.quantity) for claim in claims)
