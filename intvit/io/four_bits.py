"""Weights of at most four bits: two of them in each byte of the file, as ONNX's INT4; in memory they are int8 as all others."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Graph
from intvit.numerics import S4, S8, IntType


def four_bit_constants(graph: Graph) -> set[str]:
    """Return the names of the constants that a file holds in four bits.

    They are those of int8 in -8..7 that nothing but `Op.four_bit_inputs` reads: their values decide, so nothing else of the
    program needs to know of it.
    """
    return {name for name in _weights(graph) if _fits(graph.constants[name])}


def misplaced(graph: Graph, names: set[str]) -> list[str]:
    """Return those of the named four-bit constants that something reads which does not take four bits."""
    return sorted(names - _weights(graph))


def pack(array: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return integers in -8..7 two a byte, the first of them in the lower half; an odd last one leaves the upper half zero."""
    nibbles = array.reshape(-1).view(np.uint8) & np.uint8(15)
    if nibbles.size % 2:
        nibbles = np.append(nibbles, np.uint8(0))
    packed: NDArray[np.uint8] = nibbles[0::2] | nibbles[1::2] << np.uint8(4)
    return packed


def unpack(packed: NDArray[np.uint8], count: int) -> NDArray[np.int8]:
    """Return the first `count` integers that `pack` put into bytes, int8 `[count]`.

    Raises:
        ValueError: the half byte behind an odd last one is not zero.
    """
    nibbles = np.empty((packed.size, 2), np.int8)
    nibbles[:, 0] = (packed << np.uint8(4)).view(np.int8) >> 4
    nibbles[:, 1] = packed.view(np.int8) >> 4
    flat = nibbles.reshape(-1)
    if flat[count:].any():
        raise ValueError("the last half byte is not zero")
    return flat[:count]


def _weights(graph: Graph) -> set[str]:
    """Return the names of the constants that only inputs which take four bits read."""
    taken, others = set[str](), set(graph.outputs)
    for node in graph.nodes:
        for slot, name in zip(node.op.input_names, node.inputs, strict=True):
            (taken if slot in node.op.four_bit_inputs else others).add(name)
    return (taken - others) & graph.constants.keys()


def _fits(array: NDArray[Any]) -> bool:
    return IntType.of(array.dtype) == S8 and int(array.min()) >= S4.low and int(array.max()) <= S4.high
