"""The fast executor: Numba kernels over a planned arena, one image after another or several in parallel."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.errors import UsageError
from intvit.ir import Graph, TensorType, infer_types
from intvit.kernels.simd import Level, current_level
from intvit.runtime.arena import aligned_empty
from intvit.runtime.plan import Plan, Source, View, make_plan, prepare_nodes

Array = NDArray[Any]


class Engine:
    """Runs an integer graph with the bits that `intvit.ops` defines.

    Building compiles the kernels (or loads them from the cache), packs the weights and lays out the memory; running allocates
    nothing but the outputs. `run` may be called from several threads at once; `threads` of them compute at a time.

    Args:
        graph: a sound graph whose certificate holds.
        types: the type of every value; inferred if not given.
        threads: how many images of a batch are computed at the same time, each in its own arena.
        level: the SIMD level; by default what `intvit.kernels.simd.current_level` says.

    Raises:
        UsageError: `threads` is not positive, or the SIMD level is unknown or can't be run here.
        OpTypeError: an input that must be constant is not.
    """

    def __init__(
        self,
        graph: Graph,
        types: Mapping[str, TensorType] | None = None,
        *,
        threads: int = 1,
        level: Level | None = None,
    ) -> None:
        if threads < 1:
            raise UsageError("the number of threads must be positive", expected="1 or more", found=str(threads))
        self.graph = graph
        self.types = infer_types(graph) if types is None else types
        self.level = current_level() if level is None else level
        self.threads = threads
        self._prepared = prepare_nodes(graph, self.types, self.level)
        self.plan = make_plan(graph, self.types, self._prepared, keep=False)
        self._lanes: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for _ in range(threads):
            self._lanes.put(Lane(self.plan, graph))
        self._helpers = ThreadPoolExecutor(threads - 1, "intvit") if threads > 1 else None

    @property
    def arena_bytes(self) -> int:
        """Bytes of working memory of one thread."""
        return self.plan.arena_bytes

    @property
    def packed_bytes(self) -> int:
        """Bytes of packed constants, shared by all threads."""
        return sum(prepared.packed_bytes for prepared in self._prepared.values())

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute the graph's outputs.

        Args:
            inputs: an array for every graph input, of its type, all with the same batch size.

        Returns:
            New arrays for the graph's outputs, by name.
        """
        batch = self._batch(inputs)
        outputs = {name: self._result(name, batch) for name in self.graph.outputs}
        parts = min(self.threads, batch)
        bounds = [batch * i // parts for i in range(parts + 1)] if parts else [0]
        jobs = []
        if self._helpers is not None:
            jobs = [self._helpers.submit(self._run_images, inputs, outputs, range(a, b)) for a, b in pairwise(bounds[1:])]
        if parts:
            self._run_images(inputs, outputs, range(bounds[1]))
        for job in jobs:
            job.result()
        return outputs

    def run_all(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute every node's outputs at batch 1 and return copies of them, by value name."""
        lane = Lane(self._keeping_plan, self.graph)
        lane.load(inputs, 0, self.types)
        lane.compute()
        return {name: np.ascontiguousarray(lane.values[name]).copy() for node in self.graph.nodes for name in node.outputs}

    @cached_property
    def _keeping_plan(self) -> Plan:
        return make_plan(self.graph, self.types, self._prepared, keep=True)

    def _batch(self, inputs: Mapping[str, Array]) -> int:
        for name, kind in self.graph.inputs.items():
            if kind.batch_axis is not None:
                return int(inputs[name].shape[kind.batch_axis]) // kind.shape[kind.batch_axis]
        return 1

    def _result(self, name: str, batch: int) -> Array:
        kind = self.types[name]
        return np.empty(kind.at_batch(batch), kind.dtype.dtype)

    def _run_images(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array], images: Sequence[int]) -> None:
        lane = self._lanes.get()
        try:
            for image in images:
                lane.load(inputs, image, self.types)
                lane.compute()
                for name, array in outputs.items():
                    image_of(array, self.types[name], image)[...] = lane.values[name]
        finally:
            self._lanes.put(lane)


class Lane:
    """An arena with all steps bound to it: what one thread needs to compute one image."""

    def __init__(self, plan: Plan, graph: Graph) -> None:
        self._arena = aligned_empty((plan.arena_bytes,), np.uint8)

        def resolve(source: Source) -> Array:
            return source.on(self._arena, plan.offsets) if isinstance(source, View) else source

        self.values = {name: resolve(source) for name, source in plan.values.items()}
        self.inputs = {name: self.values[name] for name in graph.inputs}
        self.steps = [
            step.bind(
                [resolve(s) for s in step.inputs],
                [resolve(s) for s in step.outputs],
                [resolve(s) for s in step.scratch],
            )
            for step in plan.steps
        ]

    def load(self, inputs: Mapping[str, Array], image: int, types: Mapping[str, TensorType]) -> None:
        """Copy one image of the inputs into the arena."""
        for name, array in self.inputs.items():
            array[...] = image_of(inputs[name], types[name], image)

    def compute(self) -> None:
        """Run all steps."""
        for step in self.steps:
            step()


def image_of(array: Array, kind: TensorType, image: int) -> Array:
    """Return the view of one image of a batch: along the batch axis each image has the length it has at batch 1."""
    if kind.batch_axis is None:
        return array
    length = kind.shape[kind.batch_axis]
    return array[(slice(None),) * kind.batch_axis + (slice(image * length, (image + 1) * length),)]
