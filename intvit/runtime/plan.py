"""The plan of a run at batch 1: which steps, in which order, on which parts of one arena. No memory is touched yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Graph, Node, TensorType, infer_types
from intvit.kernels.aligned import Pool, aligned_copy
from intvit.kernels.simd import Level
from intvit.ops.concat import Concat
from intvit.ops.expand import Expand
from intvit.runtime.arena import Buffer, place
from intvit.runtime.bind import computes, prepare
from intvit.runtime.constants import Constants
from intvit.runtime.fuse import Group, group_nodes, single
from intvit.runtime.movement import bind_copy, bind_widen
from intvit.runtime.planned import COPY, PlannedStage, PlannedStep, Source, View
from intvit.runtime.prepared import Binder, Context, Prepared, has_heads
from intvit.runtime.rows import split_rows
from intvit.runtime.stages import stages_of

Array = NDArray[Any]


@dataclass(frozen=True)
class Plan:
    """What runs one after the other, where the graph's values lie, the arena's layout, and the bytes of packed constants."""

    stages: tuple[PlannedStage, ...]
    values: Mapping[str, Source]
    offsets: tuple[int, ...]
    arena_bytes: int
    packed_bytes: int


def plan_run(
    graph: Graph,
    types: Mapping[str, TensorType],
    level: Level,
    *,
    slots: int = 1,
    keep: bool = False,
    packed: dict[Any, Any] | None = None,
) -> Plan:
    """Pack the constants of a graph and plan its run at batch 1.

    Args:
        graph: a sound graph.
        types: the type of every value.
        level: the SIMD level.
        slots: how many parts of a step may run at the same time, each with scratch of its own.
        keep: whether every value must still be there at the end: then no nodes are fused and no memory is used twice.
        packed: packed weights that other plans of the graph have made; new ones are entered.
    """
    if not keep:
        graph = split_rows(graph, types)
        types = infer_types(graph)
    groups = [single(node) for node in graph.nodes] if keep else group_nodes(graph, types)
    prepared = prepare_groups(groups, graph.constants, types, level, {} if packed is None else packed)
    return make_plan(graph, groups, types, prepared, slots=slots, keep=keep)


def prepare_groups(
    groups: Sequence[Group],
    constants: Mapping[str, Array],
    types: Mapping[str, TensorType],
    level: Level,
    packed: dict[Any, Any],
) -> dict[str, Prepared]:
    """Pack the constants of every group that computes; keyed by the group's name.

    Args:
        groups: the nodes to compute.
        constants: the graph's.
        types: the type of every value.
        level: the SIMD level.
        packed: packed weights that other plans of the graph have made; new ones are entered.
    """
    kept = constants if isinstance(constants, Constants) else Constants(constants)
    pool = Pool()

    def context(node: Node) -> Context:
        inputs, outputs = [types[name] for name in node.inputs], [types[name] for name in node.outputs]
        return Context(inputs, outputs, level, node.inputs, node.outputs, packed, kept, pool)

    return {group.name: prepare(group, [context(node) for node in group.nodes]) for group in groups if computes(group)}


def make_plan(
    graph: Graph,
    groups: Sequence[Group],
    types: Mapping[str, TensorType],
    prepared: Mapping[str, Prepared],
    *,
    slots: int,
    keep: bool,
) -> Plan:
    """Plan a run of groups, in executable order, prepared by `prepare_groups`; the rest as in `plan_run`."""
    planner = _Planner(graph, types, prepared, slots)
    if not keep:
        planner.destine(groups)
    for group in groups:
        planner.add_group(group)
    stages = [PlannedStage((step,)) for step in planner.steps] if keep else stages_of(planner.steps, planner.buffers)
    end = len(planner.steps)
    for name in graph.outputs:
        planner.touch(planner.value(name), end)
    if keep:
        for buffer in planner.buffers:
            buffer.first, buffer.last = -1, end
    offsets, arena_bytes = place(planner.buffers)
    values = {name: planner.source(value) for name, value in planner.values.items()}
    constants = {array.ctypes.data: array.nbytes for each in prepared.values() for array in each.constants}
    return Plan(tuple(stages), values, tuple(offsets), arena_bytes, sum(constants.values()))


@dataclass(frozen=True, slots=True)
class _Value:
    """A value while planning: an array on memory that only serves to find shapes and strides, or a constant."""

    array: Array
    buffer: int | None


class _Planner:
    def __init__(self, graph: Graph, types: Mapping[str, TensorType], prepared: Mapping[str, Prepared], slots: int) -> None:
        self._types = types
        self._slots = slots
        self._prepared = prepared
        self._shadows: list[Array] = []
        self._destinations: dict[str, tuple[Group, int]] = {}
        self.buffers: list[Buffer] = []
        self.steps: list[PlannedStep] = []
        self._constants = graph.constants
        self.values: dict[str, _Value] = {}
        for name, kind in graph.inputs.items():
            self.values[name] = self._new(kind.shape, kind.dtype.dtype)

    def add_group(self, group: Group) -> None:
        """Add the steps of one group, or none where its output is only another view of its input."""
        node = group.nodes[0]
        if prepared := self._prepared.get(group.name):
            inputs = [self.value(group.inputs[i]) for i in prepared.uses]
            outputs = [self._output(name, prepared.by_rows) for name in group.outputs]
            self._add_kernel(group, prepared, inputs, outputs)
        elif isinstance(node.op, Expand):
            outputs = [self.value(group.inputs[0])]
        elif isinstance(node.op, Concat):
            outputs = [self._join(group, [self.value(name) for name in group.inputs])]
        else:
            outputs = [self._move(group, self.value(group.inputs[0]))]
        self.values.update(zip(group.outputs, outputs, strict=True))

    def value(self, name: str) -> _Value:
        """Return a value that exists already; constants do from the first time on that they are asked for."""
        if name not in self.values:
            self.values[name] = _Value(self._constants[name], None)
        return self.values[name]

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

    def _add_kernel(self, group: Group, prepared: Prepared, inputs: list[_Value], outputs: list[_Value]) -> None:
        views = prepared.arrange(*(value.array for value in inputs))
        placed = [
            self._accepted(group, prepared, i, _Value(view, value.buffer))
            for i, (view, value) in enumerate(zip(views, inputs, strict=True))
        ]
        scratch = [self._new((self._slots, *shape), dtype) for shape, dtype in prepared.scratch]
        scratch += [self._new(shape, dtype) for shape, dtype in prepared.shared]
        self._add_step(group, prepared.bind, placed, outputs, scratch, prepared.weights)

    def _accepted(self, group: Group, prepared: Prepared, index: int, view: _Value) -> _Value:
        """Return `view` if the kernel takes it as it lies, else a contiguous copy of it; widened if the kernel wants that."""
        kind = prepared.left if index == 0 and prepared.left else view.array.dtype
        if view.buffer is None:
            return _Value(aligned_copy(view.array.astype(kind)), None)
        if not prepared.accepts(index, view.array):
            view = self._copied(group, bind_copy, view, view.array.dtype)
        return view if kind == view.array.dtype else self._copied(group, bind_widen, view, kind)

    def _copied(self, group: Group, bind: Binder, view: _Value, dtype: np.dtype[Any]) -> _Value:
        copy = self._new(view.array.shape, dtype)
        self._add_step(group, bind, [view], [copy])
        return copy

    def destine(self, groups: Sequence[Group]) -> None:
        """Note which values kernels can write right where a concatenation wants them."""
        made = {name for group in groups if group.name in self._prepared for name in group.outputs}
        reads = Counter(name for group in groups for name in group.inputs)
        for group in groups:
            if isinstance(group.nodes[0].op, Concat):
                for part, name in enumerate(group.inputs):
                    if name in made and reads[name] == 1:
                        self._destinations[name] = group, part

    def _output(self, name: str, by_rows: bool) -> _Value:
        """Return where a kernel writes a value: its part of a concatenation, if that is contiguous, or a new buffer."""
        if name in self._destinations:
            group, part = self._destinations[name]
            place = self._parts(group)[part]
            if place.array.flags.c_contiguous:
                return place
        shape, dtype = self._types[name].shape, self._types[name].dtype.dtype
        if by_rows and len(shape) > 2:
            *outer, heads, rows, size = shape
            value = self._new((*outer, rows, heads, size), dtype)
            by_heads = value.array.swapaxes(-3, -2)
            if has_heads(by_heads):
                return _Value(by_heads, value.buffer)
        return self._new(shape, dtype)

    def _parts(self, group: Group) -> list[_Value]:
        """Return the parts of a concatenation's output, which exists from the first time on that they are asked for."""
        (output,), op = group.outputs, group.nodes[0].op
        assert isinstance(op, Concat)
        if output not in self.values:
            self.values[output] = self._new(self._types[output].shape, self._types[output].dtype.dtype)
        joined, split = self.values[output], self._types[group.inputs[0]].shape[op.axis]
        return [_Value(part, joined.buffer) for part in np.split(joined.array, [split], op.axis)]

    def _join(self, group: Group, inputs: list[_Value]) -> _Value:
        """Return a value with the inputs one behind the other; those that were not written there are copied."""
        for part, x in zip(self._parts(group), inputs, strict=True):
            if not np.may_share_memory(part.array, x.array):
                self._add_step(group, bind_copy, [x], [part])
        return self.values[group.outputs[0]]

    def _move(self, group: Group, x: _Value) -> _Value:
        """Return the output of an operator that only moves data: a view of `x`, or else a copy."""
        (moved,) = group.nodes[0].op.reference(x.array)
        if x.buffer is None or np.may_share_memory(moved, x.array):
            return _Value(moved, x.buffer)
        copy = self._new(moved.shape, moved.dtype)
        self._add_step(group, bind_copy, [x], [_Value(copy.array.reshape(x.array.shape), copy.buffer)])
        return copy

    def _add_step(
        self,
        group: Group,
        bind: Binder,
        inputs: list[_Value],
        outputs: list[_Value],
        scratch: Sequence[_Value] = (),
        weights: Array | None = None,
    ) -> None:
        for value in (*inputs, *outputs, *scratch):
            self.touch(value, len(self.steps))
        kind = COPY if bind in (bind_copy, bind_widen) else group.kind
        sources = tuple(self.source(value) for value in inputs)
        places = [self.source(value) for value in (*outputs, *scratch)]
        views = tuple(view for view in places if isinstance(view, View))
        self.steps.append(PlannedStep(group.name, kind, bind, sources, views[: len(outputs)], views[len(outputs) :], weights))
