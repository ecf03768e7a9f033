"""The plan of a run at batch 1: which steps, in which order, on which parts of one arena. No memory is touched yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Graph, Node, Operand, TensorType
from intvit.kernels.jit import Step
from intvit.kernels.simd import Level
from intvit.ops.expand import Expand
from intvit.runtime.arena import Buffer, aligned_copy, place
from intvit.runtime.bind import BINDERS, prepare
from intvit.runtime.prepared import Context, Prepared

Array = NDArray[Any]
Binder = Callable[[Sequence[Array], Sequence[Array], Sequence[Array]], Step]


@dataclass(frozen=True, slots=True)
class View:
    """A strided array inside a buffer of the arena."""

    buffer: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]

    def on(self, arena: Array, offsets: Sequence[int]) -> Array:
        """Return the array itself, for an arena in which buffer i starts at `offsets[i]`."""
        return np.ndarray(self.shape, self.dtype, arena.data, offsets[self.buffer] + self.offset, self.strides)


Source = View | Array
"""Where a value lies: in the arena, or in a constant of its own."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One kernel call without its memory."""

    node: str
    bind: Binder
    inputs: tuple[Source, ...]
    outputs: tuple[View, ...]
    scratch: tuple[View, ...]


@dataclass(frozen=True)
class Plan:
    """Steps in order, where the graph's values lie, and the arena's layout."""

    steps: tuple[PlannedStep, ...]
    values: Mapping[str, Source]
    offsets: tuple[int, ...]
    arena_bytes: int


def prepare_nodes(graph: Graph, types: Mapping[str, TensorType], level: Level) -> dict[str, Prepared]:
    """Pack the constants of every node that computes; keyed by node name."""
    operands = {name: Operand(kind, kind.dtype.interval, graph.constants.get(name)) for name, kind in types.items()}
    return {
        node.name: prepare(
            node, Context([operands[name] for name in node.inputs], [types[name] for name in node.outputs], level)
        )
        for node in graph.nodes
        if type(node.op) in BINDERS
    }


def make_plan(graph: Graph, types: Mapping[str, TensorType], prepared: Mapping[str, Prepared], *, keep: bool) -> Plan:
    """Plan a run of the whole graph.

    Args:
        graph: a sound graph.
        types: the type of every value.
        prepared: what `prepare_nodes` returned.
        keep: whether every value must still be there at the end, so that no memory is used twice.
    """
    planner = _Planner(graph, types, prepared)
    for node in graph.nodes:
        planner.add_node(node)
    end = len(planner.steps)
    for name in graph.outputs:
        planner.touch(planner.values[name], end)
    if keep:
        for buffer in planner.buffers:
            buffer.first, buffer.last = -1, end
    offsets, arena_bytes = place(planner.buffers)
    values = {name: planner.source(value) for name, value in planner.values.items()}
    return Plan(tuple(planner.steps), values, tuple(offsets), arena_bytes)


@dataclass(frozen=True, slots=True)
class _Value:
    """A value while planning: an array on memory that only serves to find shapes and strides, or a constant."""

    array: Array
    buffer: int | None


class _Planner:
    def __init__(self, graph: Graph, types: Mapping[str, TensorType], prepared: Mapping[str, Prepared]) -> None:
        self._types = types
        self._prepared = prepared
        self._shadows: list[Array] = []
        self.buffers: list[Buffer] = []
        self.steps: list[PlannedStep] = []
        self.values = {name: _Value(array, None) for name, array in graph.constants.items()}
        for name, kind in graph.inputs.items():
            self.values[name] = self._new(kind.shape, kind.dtype.dtype)

    def add_node(self, node: Node) -> None:
        """Add the steps of one node, or none where its output is only another view of its input."""
        inputs = [self.values[name] for name in node.inputs]
        if prepared := self._prepared.get(node.name):
            outputs = [self._new(self._types[name].shape, self._types[name].dtype.dtype) for name in node.outputs]
            self._add_kernel(node.name, prepared, inputs, outputs)
        elif isinstance(node.op, Expand):
            outputs = inputs[:1]
        else:
            outputs = [self._move(node, inputs[0])]
        self.values.update(zip(node.outputs, outputs, strict=True))

    def source(self, value: _Value) -> Source:
        """Return where a value lies."""
        if value.buffer is None:
            return value.array
        offset = value.array.ctypes.data - self._shadows[value.buffer].ctypes.data
        return View(value.buffer, offset, value.array.shape, value.array.strides, value.array.dtype)

    def touch(self, value: _Value, step: int) -> None:
        """Note that a value is needed at a step."""
        if value.buffer is not None:
            buffer = self.buffers[value.buffer]
            buffer.last = max(buffer.last, step)

    def _new(self, shape: tuple[int, ...], dtype: np.dtype[Any] | type[np.generic]) -> _Value:
        """Return a value in a buffer of its own that is needed from the next step on."""
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        shadow = np.empty(size, np.uint8)
        first = len(self.steps) if self.steps else -1
        self._shadows.append(shadow)
        self.buffers.append(Buffer(size, first, first))
        return _Value(shadow.view(dtype).reshape(shape), len(self.buffers) - 1)

    def _add_kernel(self, name: str, prepared: Prepared, inputs: list[_Value], outputs: list[_Value]) -> None:
        used = [inputs[i] for i in prepared.uses]
        views = prepared.arrange(*(value.array for value in used))
        placed = [
            self._accepted(name, prepared, i, _Value(view, value.buffer))
            for i, (view, value) in enumerate(zip(views, used, strict=True))
        ]
        scratch = [self._new(shape, dtype) for shape, dtype in prepared.scratch]
        self._add_step(name, prepared.bind, placed, outputs, scratch)

    def _accepted(self, name: str, prepared: Prepared, index: int, view: _Value) -> _Value:
        """Return `view` if the kernel takes it as it lies, else a contiguous copy of it."""
        if view.buffer is None:
            return _Value(aligned_copy(view.array), None)
        if prepared.accepts(index, view.array):
            return view
        copy = self._new(view.array.shape, view.array.dtype)
        self._add_step(f"{name}.copy", _bind_copy, [view], [copy])
        return copy

    def _move(self, node: Node, x: _Value) -> _Value:
        """Return the output of an operator that only moves data: a view of `x`, or else a copy."""
        (moved,) = node.op.reference(x.array)
        if x.buffer is None or np.may_share_memory(moved, x.array):
            return _Value(moved, x.buffer)
        copy = self._new(moved.shape, moved.dtype)
        self._add_step(node.name, _bind_copy, [x], [_Value(copy.array.reshape(x.array.shape), copy.buffer)])
        return copy

    def _add_step(
        self, name: str, bind: Binder, inputs: list[_Value], outputs: list[_Value], scratch: Sequence[_Value] = ()
    ) -> None:
        for value in (*inputs, *outputs, *scratch):
            self.touch(value, len(self.steps))
        sources = tuple(self.source(value) for value in inputs)
        places = [self.source(value) for value in (*outputs, *scratch)]
        views = tuple(view for view in places if isinstance(view, View))
        self.steps.append(PlannedStep(name, bind, sources, views[: len(outputs)], views[len(outputs) :]))


def _bind_copy(inputs: Sequence[Array], outputs: Sequence[Array], _scratch: Sequence[Array]) -> Step:
    return partial(np.copyto, outputs[0], inputs[0])
