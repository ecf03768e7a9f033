"""Sites: the float values that become stored integer tensors, and what each must satisfy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.uses import MOVEMENT, Use, UseKind, scalar_factor, uses_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Site:
    """A float value that an operator makes and stores as integers.

    Attributes:
        value: the value's name.
        kind: the most demanding of its uses, which decides its type.
        uses: all final uses.
        shape: its shape at batch size 1.
        batch_axis: the axis that carries the batch.
        channel_axes: the axes along which scales may differ; the others are rows. Scores have one scale, and rows as softmax.
        stream: the value whose range it must cover (its own, or that of a `Concat` it goes into).
    """

    value: str
    kind: UseKind
    uses: tuple[Use, ...]
    shape: tuple[int, ...]
    batch_axis: int
    channel_axes: tuple[int, ...]
    stream: str

    @property
    def channels(self) -> int:
        """The number of channels."""
        return math.prod(self.shape[a] for a in self.channel_axes)

    @property
    def row_axes(self) -> tuple[int, ...]:
        """The axes along which all scales are the same."""
        return tuple(a for a in range(len(self.shape)) if a not in self.channel_axes)

    @cached_property
    def channel(self) -> Array:
        """For every element at batch size 1, the number of its channel."""
        return _numbers(self.shape, self.channel_axes)

    def by_row(self, whole: Array) -> Array:
        """Return values [images, *shape] as [images, rows, channels]."""
        order = (0, *(a + 1 for a in self.row_axes), *(a + 1 for a in self.channel_axes))
        return whole.transpose(order).reshape(len(whole), -1, self.channels)

    @cached_property
    def rows(self) -> Array:
        """The rows that any use sees; the others need no accuracy."""
        numbers = _numbers(self.shape, self.row_axes).reshape(-1)
        return np.unique(np.concatenate([numbers[use.elements.reshape(-1)] for use in self.uses]))

    def arriving(self, use: Use) -> Array:
        """Return the channel number of every element that arrives at a use, in the use's shape."""
        return self.channel.reshape(-1)[use.elements]

    def arriving_columns(self, use: Use) -> Array:
        """Return the channel number that arrives at each input of a linear layer, int64 [K]; all its rows have the same."""
        arriving = self.arriving(use)
        columns: Array = arriving.reshape(-1, arriving.shape[-1])[0]
        return columns

    @cached_property
    def ties(self) -> Array:
        """For every channel, the number of the group that must share one scale, int64 [channels]."""
        parent = np.arange(self.channels)
        for use in self.uses:
            if use.kind == UseKind.MATMUL:
                _tie(parent, self.arriving(use), axis=-1 if use.index == 0 else -2)
            elif use.kind == UseKind.LINEAR and not _varies_only_last(self.arriving(use)):
                _tie(parent, self.arriving(use).reshape(1, -1), axis=-1)
        return np.unique(parent, return_inverse=True)[1]


def find_sites(graph: FloatGraph, layers: dict[str, LinearLayer], scores: bool = False) -> dict[str, Site]:
    """Return the sites of a graph by value name, in the order in which they are made.

    Args:
        graph: the float graph.
        layers: its linear layers by first node.
        scores: whether what softmax reads is stored in few bits; else it stays an accumulator.
    """
    inside = {name for layer in layers.values() for name in layer.nodes}
    made = {layer.name: layer.output for layer in layers.values()}
    sites = {}
    for node in graph.nodes:
        output = made.get(node.name)
        if output is None:
            transparent = node.op in MOVEMENT or node.op == "Expand" or scalar_factor(graph, node) is not None
            if node.name in inside or transparent:
                continue
            output = node.output
        site = _site(graph, output)
        if site is not None and (scores or site.kind != UseKind.SCORES):
            sites[output] = site
    return sites


def _site(graph: FloatGraph, value: str) -> Site | None:
    uses = tuple(uses_of(graph, value))
    kinds = {use.kind for use in uses}
    if not uses or _is_softmax(graph, value):
        return None
    kind = next(iter(kinds)) if len(kinds) == 1 else _widest(kinds)
    concat = [use.node.output for use in uses if use.node is not None and use.node.op == "Concat"]
    shape, batch_axis = graph.shapes[value], graph.batch_axes[value]
    if batch_axis is None:
        return None
    axes = (len(shape) - 1,) if kind == UseKind.SCORES else _channel_axes(graph, value, len(shape))
    return Site(value, kind, uses, shape, batch_axis, axes, concat[0] if concat else value)


def _channel_axes(graph: FloatGraph, value: str, rank: int) -> tuple[int, ...]:
    """Products of activations have a channel for each head and column, all other operators one for each column."""
    node = next((node for node in graph.nodes if node.output == value), None)
    if node is not None and node.op == "MatMul" and not graph.is_constant(node.inputs[1]):
        return tuple(a for a in range(rank) if a != rank - 2)
    return (rank - 1,)


def _numbers(shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Number the positions along some axes and return the number of every element."""
    dims = [d if i in axes else 1 for i, d in enumerate(shape)]
    return np.broadcast_to(np.arange(math.prod(dims)).reshape(dims), shape)


def _widest(kinds: set[UseKind]) -> UseKind:
    if UseKind.OUTPUT in kinds:
        return UseKind.OUTPUT
    return UseKind.STREAM


def _is_softmax(graph: FloatGraph, value: str) -> bool:
    return any(node.output == value and node.op == "Softmax" for node in graph.nodes)


def _varies_only_last(channels: Array) -> bool:
    flat = channels.reshape(-1, channels.shape[-1])
    return bool((flat == flat[0]).all())


def _tie(parent: Array, channels: Array, axis: int) -> None:
    """Join the channels that meet along an axis (they are added up there, so their scales must agree)."""
    lines = np.unique(np.moveaxis(channels, axis, -1).reshape(-1, channels.shape[axis]), axis=0)
    for line in lines:
        members = np.unique(parent[line])
        parent[np.isin(parent, members)] = members[0]
