"""One name for the exact content of an integer array."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Graph, Node


def digest(array: NDArray[Any]) -> str:
    """Return the SHA-256 (hex) of an array's element type, shape and little-endian values."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    head = f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}".encode()
    whole = hashlib.sha256(head)
    whole.update(little.reshape(-1).view(np.uint8).data)
    return whole.hexdigest()


def digest_all(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return one SHA-256 (hex) over named arrays, in the order of their names."""
    whole = hashlib.sha256()
    for name in sorted(arrays):
        whole.update(f"{name}={digest(arrays[name])};".encode())
    return whole.hexdigest()


def node_digest(graph: Graph, node: Node, outputs: Mapping[str, NDArray[Any]]) -> str:
    """Return the first 16 hex digits of a digest over a node's outputs and the constants it reads.

    The constants are in it because rounding can hide a damaged one from the outputs of a single test.
    """
    constants = {name: graph.constants[name] for name in node.inputs if name in graph.constants}
    return digest_all({**constants, **outputs})[:16]
