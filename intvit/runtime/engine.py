"""The fast executor: Numba kernels over a planned arena; threads share a batch, then what each image has to compute."""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from intvit.errors import UsageError
from intvit.ir import Graph, TensorType, infer_types
from intvit.kernels.aligned import Pool
from intvit.kernels.jit import Step
from intvit.kernels.program import Program, Stage
from intvit.kernels.simd import Level, current_level
from intvit.runtime.plan import Plan, plan_run
from intvit.runtime.planned import PlannedStep, Source, View

Array = NDArray[Any]


class StageTime(NamedTuple):
    """How long one stage takes, of which steps and kinds of operators."""

    nodes: tuple[str, ...]
    kind: str
    nanoseconds: int


class Engine:
    """Runs an integer graph with the bits that `intvit.ops` defines.

    Building compiles the kernels (or loads them from the cache), packs the weights and lays out the memory; running allocates
    nothing but the outputs. `run` may be called from several threads at once, and after a fork.

    Args:
        graph: a sound graph whose certificate holds.
        types: the type of every value; inferred if not given.
        threads: how many threads compute one call of `run`: whole images of its batch for as long as there is one for each,
            then parts of each image.
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
        self._packed: dict[Any, Any] = {}
        self.plan = plan_run(graph, self.types, self.level, slots=threads, packed=self._packed)
        self._crew = _Crew(self.plan, graph, threads)

    @property
    def arena_bytes(self) -> int:
        """Bytes of working memory of one thread."""
        return self.plan.arena_bytes

    @property
    def packed_bytes(self) -> int:
        """Bytes of packed constants, shared by all threads."""
        return self.plan.packed_bytes

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute the graph's outputs.

        Args:
            inputs: an array for every graph input, of its type, all with the same batch size.

        Returns:
            New arrays for the graph's outputs, by name.
        """
        if self._crew.process != os.getpid():
            self._crew = _Crew(self.plan, self.graph, self.threads)
        batch = self._batch(inputs)
        outputs = {name: self._result(name, batch) for name in self.graph.outputs}
        each = batch // self.threads
        shares = [range(i * each, (i + 1) * each) for i in range(self.threads)]
        self._crew.share([partial(self._run_images, inputs, outputs, images, Program.run_alone) for images in shares if images])
        self._run_images(inputs, outputs, range(each * self.threads, batch), self._crew.lead)
        return outputs

    def run_all(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Compute every node's outputs at batch 1 and return copies of them, by value name."""
        lane = Lane(self._keeping_plan, self.graph, 1)
        lane.load(inputs, 0, self.types)
        lane.program.run_alone()
        return {name: np.ascontiguousarray(lane.values[name]).copy() for node in self.graph.nodes for name in node.outputs}

    def profile(self, inputs: Mapping[str, Array], repeats: int = 20) -> list[StageTime]:
        """Run the first image stage by stage, in one thread, and return the median time of every stage, in order."""
        lane = Lane(self.plan, self.graph, 1)
        programs = [Program([stage], 1) for stage in lane.program.stages]
        times = np.empty((repeats, len(programs)), np.int64)
        for repeat in times:
            lane.load(inputs, 0, self.types)
            for i, program in enumerate(programs):
                start = time.perf_counter_ns()
                program.run_alone()
                repeat[i] = time.perf_counter_ns() - start
        totals = np.zeros(len(self.plan.stages), np.int64)
        np.add.at(totals, lane.origins, np.sort(times, axis=0)[repeats // 2])
        return [StageTime(stage.nodes, stage.kind, int(ns)) for stage, ns in zip(self.plan.stages, totals, strict=True)]

    @cached_property
    def _keeping_plan(self) -> Plan:
        """The plan that computes every node for itself and keeps all values."""
        return plan_run(self.graph, self.types, self.level, keep=True, packed=self._packed)

    def _batch(self, inputs: Mapping[str, Array]) -> int:
        for name, kind in self.graph.inputs.items():
            if kind.batch_axis is not None:
                return int(inputs[name].shape[kind.batch_axis]) // kind.shape[kind.batch_axis]
        return 1

    def _result(self, name: str, batch: int) -> Array:
        kind = self.types[name]
        return np.empty(kind.at_batch(batch), kind.dtype.dtype)

    def _run_images(
        self, inputs: Mapping[str, Array], outputs: Mapping[str, Array], images: Sequence[int], run: Callable[[Program], None]
    ) -> None:
        if not images:
            return
        with self._crew.lane() as lane:
            for image in images:
                lane.load(inputs, image, self.types)
                run(lane.program)
                for name, array in outputs.items():
                    image_of(array, self.types[name], image)[...] = lane.values[name]


class Lane:
    """An arena with all steps bound to it: what it takes to compute one image at a time.

    Args:
        plan: the steps and the arena's layout.
        graph: the graph that was planned.
        threads: how many threads may compute an image together.
    """

    def __init__(self, plan: Plan, graph: Graph, threads: int) -> None:
        self._arena = Pool().empty((plan.arena_bytes,), np.dtype(np.uint8))

        def resolve(source: Source) -> Array:
            return source.on(self._arena, plan.offsets) if isinstance(source, View) else source

        self.values = {name: resolve(source) for name, source in plan.values.items()}
        self.inputs = {name: self.values[name] for name in graph.inputs}

        def bind(step: PlannedStep) -> tuple[Step, ...]:
            bound = step.bind(*([resolve(s) for s in each] for each in (step.inputs, step.outputs, step.scratch)))
            return bound if isinstance(bound, tuple) else (bound,)

        stages: list[Stage] = []
        self.origins: list[int] = []
        for index, planned in enumerate(plan.stages):
            stages += [Stage(steps, planned.parts) for steps in zip(*map(bind, planned.steps), strict=True)]
            self.origins += [index] * (len(stages) - len(self.origins))
        self.program = Program(stages, threads)

    def load(self, inputs: Mapping[str, Array], image: int, types: Mapping[str, TensorType]) -> None:
        """Copy one image of the inputs into the arena."""
        for name, array in self.inputs.items():
            array[...] = image_of(inputs[name], types[name], image)


class _Crew:
    """The lanes and helping threads of one process; a fork leaves them behind."""

    def __init__(self, plan: Plan, graph: Graph, threads: int) -> None:
        self.process = os.getpid()
        self._lanes: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for _ in range(threads):
            self._lanes.put(Lane(plan, graph, threads))
        self._helping = threads - 1
        self._helpers = ThreadPoolExecutor(threads - 1, "intvit") if threads > 1 else None

    @contextmanager
    def lane(self) -> Iterator[Lane]:
        """Lend a lane, as soon as one is free."""
        lane = self._lanes.get()
        try:
            yield lane
        finally:
            self._lanes.put(lane)

    def share(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Do all jobs, the first in this thread."""
        started = [self._helpers.submit(job) for job in jobs[1:]] if self._helpers else []
        for job in jobs[:1]:
            job()
        for future in started:
            future.result()

    def lead(self, program: Program) -> None:
        """Run a program with the help of every thread that is free; who comes too late finds nothing to do."""
        if self._helpers is None:
            return program.run_alone()
        program.open()
        try:
            for _ in range(self._helping):
                self._helpers.submit(program.help_out)
        finally:
            program.lead()


def image_of(array: Array, kind: TensorType, image: int) -> Array:
    """Return the view of one image of a batch: along the batch axis each image has the length it has at batch 1."""
    if kind.batch_axis is None:
        return array
    length = kind.shape[kind.batch_axis]
    return array[(slice(None),) * kind.batch_axis + (slice(image * length, (image + 1) * length),)]
