"""Gradients of the canonical float graph in reverse mode, in NumPy: what small changes of its values do to its outputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.float_graph import FloatGraph, FloatNode

Array = NDArray[Any]
NEAR_ZERO = 1e-3
"""Below this magnitude the quotient of GELU's output and input is taken from its series."""


def gradients(
    graph: FloatGraph, values: Mapping[str, Array], seeds: Mapping[str, Array], wanted: Collection[str]
) -> dict[str, Array]:
    """Return the gradient of `sum(seed * output)` over all outputs in each wanted value.

    Args:
        graph: the canonical float graph.
        values: all values of the graph on some images, by name; constants may be left out.
        seeds: by output, in its shape.
        wanted: names of values.

    Returns:
        By name, in the value's shape; values that no output depends on are left out.
    """
    known = {**graph.constants, **values}
    behind = set(wanted)
    for node in graph.nodes:
        if not behind.isdisjoint(node.inputs):
            behind.add(node.output)
    reached = dict(seeds)
    for node in reversed(graph.nodes):
        gradient = reached.get(node.output)
        if gradient is None:
            continue
        if node.output not in wanted:
            del reached[node.output]
        for i, name in enumerate(node.inputs):
            if name in behind:
                at = _Place(node, i, tuple(known[n] for n in node.inputs), known[node.output])
                part = _summed(_RULES[node.op](at, gradient), known[name].shape)
                reached[name] = reached[name] + part if name in reached else part
    return {name: gradient for name, gradient in reached.items() if name in wanted}


@dataclass(frozen=True)
class _Place:
    """An input of a node, with the values of all its inputs and of its output."""

    node: FloatNode
    index: int
    inputs: tuple[Array, ...]
    output: Array

    @property
    def input(self) -> Array:
        """The value of the input."""
        return self.inputs[self.index]


def _summed(gradient: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient of a value of some shape from that of what it was broadcast to."""
    gradient = gradient.sum(tuple(range(gradient.ndim - len(shape))))
    spread = tuple(i for i, size in enumerate(shape) if size == 1 and gradient.shape[i] != 1)
    return gradient.sum(spread, keepdims=True) if spread else gradient


def _add(at: _Place, gradient: Array) -> Array:
    return gradient


def _mul(at: _Place, gradient: Array) -> Array:
    result: Array = gradient * at.inputs[1 - at.index]
    return result


def _matmul(at: _Place, gradient: Array) -> Array:
    left, right = at.inputs
    result: Array = gradient @ right.swapaxes(-1, -2) if at.index == 0 else left.swapaxes(-1, -2) @ gradient
    return result


def _conv(at: _Place, gradient: Array) -> Array:
    """Canonical convolutions cut their input into disjoint square patches."""
    parts: Array = np.einsum("nchw,cdij->ndhiwj", gradient, at.inputs[1], optimize=True)
    return parts.reshape(at.input.shape)


def _layer_norm(at: _Place, gradient: Array) -> Array:
    x = at.input
    centred = x - x.mean(-1, keepdims=True)
    inverse = 1 / np.sqrt((centred**2).mean(-1, keepdims=True) + at.node.attributes["epsilon"])
    normal, scaled = centred * inverse, gradient * at.inputs[1]
    along = (scaled * normal).mean(-1, keepdims=True) * normal
    result: Array = (scaled - scaled.mean(-1, keepdims=True) - along) * inverse
    return result


def _gelu(at: _Place, gradient: Array) -> Array:
    """Use that GELU is `x share(x)`, so that its output tells the share: Phi(x), or its approximation by tanh."""
    x = at.input
    small = np.abs(x) < NEAR_ZERO
    share = np.where(small, 0.5 + x / np.sqrt(2 * np.pi), at.output / np.where(small, 1, x))
    if at.node.attributes.get("approximate") == "tanh":
        slope = 2 * share * (1 - share) * np.sqrt(2 / np.pi) * (1 + 3 * 0.044715 * x**2)
    else:
        slope = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    result: Array = (gradient * (share + x * slope)).astype(gradient.dtype)
    return result


def _softmax(at: _Place, gradient: Array) -> Array:
    result: Array = at.output * (gradient - (gradient * at.output).sum(-1, keepdims=True))
    return result


def _mean(at: _Place, gradient: Array) -> Array:
    axes = tuple(int(axis) for axis in at.inputs[1].reshape(-1))
    kept = tuple(1 if i in [axis % at.input.ndim for axis in axes] else size for i, size in enumerate(at.input.shape))
    result: Array = np.broadcast_to(gradient.reshape(kept), at.input.shape) * (gradient.size / at.input.size)
    return result


def _reshape(at: _Place, gradient: Array) -> Array:
    return gradient.reshape(at.input.shape)


def _transpose(at: _Place, gradient: Array) -> Array:
    return gradient.transpose(np.argsort(at.node.attributes["perm"]))


def _slice(at: _Place, gradient: Array) -> Array:
    """Canonical slices cut one axis, with step 1."""
    start, stop, axis = (int(at.inputs[i].item()) for i in (1, 2, 3))
    result = np.zeros(at.input.shape, gradient.dtype)
    np.moveaxis(result, axis, 0)[start:stop] = np.moveaxis(gradient, axis, 0)
    return result


def _concat(at: _Place, gradient: Array) -> Array:
    axis = at.node.attributes["axis"]
    ends = np.cumsum([value.shape[axis] for value in at.inputs])
    return np.split(gradient, ends[:-1], axis)[at.index]


_RULES: dict[str, Callable[[_Place, Array], Array]] = {
    "Add": _add,
    "Concat": _concat,
    "Conv": _conv,
    "Gelu": _gelu,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "Mul": _mul,
    "ReduceMean": _mean,
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": _softmax,
    "Transpose": _transpose,
}
"""The gradient of one input of a node, before broadcasting is undone, from that of its output."""
