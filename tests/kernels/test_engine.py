"""The engine on a whole random ViT: bits, batches, threads, memory."""

import multiprocessing
import os
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
from vit import make_vit, walk

from intvit import ops
from intvit.errors import UsageError
from intvit.ir import Graph, Node, TensorType, check_graph
from intvit.kernels.aligned import ALIGNMENT
from intvit.kernels.jit import KERNELS
from intvit.numerics import U8, IntType
from intvit.runtime.arena import Buffer, place
from intvit.runtime.engine import Engine

GRAPH = make_vit()
TYPES = check_graph(GRAPH)
(LOGITS,) = GRAPH.outputs


def pixels(batch, seed=0):
    return {"pixels": np.random.default_rng(seed).integers(0, 256, (batch, 12, 12, 3)).astype(np.uint8)}


def test_every_value_equals_the_reference(level):
    inputs = pixels(1)
    want = walk(GRAPH, inputs)
    got = Engine(GRAPH, level=level).run_all(inputs)
    assert set(got) == {name for node in GRAPH.nodes for name in node.outputs}
    for name, array in got.items():
        assert array.dtype == want[name].dtype
        np.testing.assert_array_equal(array, want[name], name)
        assert np.unique(array).size > 3, f"{name} is too uniform to tell anything"


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("tables", [False, True])
def test_every_choice_of_operators(tables, wide, level):
    """Fused and alone: `run` fuses what it can, `run_all` computes every node for itself."""
    graph, inputs = make_vit(seed=1, tables=tables, wide=wide), pixels(2)
    want, engine = walk(graph, inputs), Engine(graph, level=level)
    np.testing.assert_array_equal(engine.run(inputs)[graph.outputs[0]], want[graph.outputs[0]])
    one = walk(graph, pixels(1))
    for name, array in engine.run_all(pixels(1)).items():
        np.testing.assert_array_equal(array, one[name], name)


@pytest.mark.parametrize("batch", [1, 2, 3, 8, 17])
@pytest.mark.parametrize("threads", [1, 2, 3, 5, 8])
def test_batches_and_threads(batch, threads, level):
    inputs = pixels(batch, batch)
    got = Engine(GRAPH, TYPES, threads=threads, level=level).run(inputs)
    assert list(got) == [LOGITS]
    np.testing.assert_array_equal(got[LOGITS], walk(GRAPH, inputs)[LOGITS])


def test_an_empty_batch():
    assert Engine(GRAPH).run(pixels(0))[LOGITS].shape == (0, 10)


def test_outputs_with_the_batch_inside():
    """Outputs may be views, inputs or constants, with the batch on any axis or on none."""
    rng = np.random.default_rng(0)
    constant = rng.integers(0, 9, (1, 3)).astype(np.int16)
    nodes = (
        Node("t", ops.Transpose(perm=(1, 0, 2)), ("x",), ("t",)),
        Node("r", ops.Reshape(shape=(4, -1)), ("t",), ("r",)),
        Node("e", ops.Expand(), ("c", "x"), ("e",)),
    )
    graph = Graph({"x": TensorType(U8, (1, 4, 5), 0)}, ("t", "r", "e", "c", "x"), {"c": constant}, nodes)
    inputs = {"x": rng.integers(0, 256, (3, 4, 5)).astype(np.uint8)}
    want = walk(graph, inputs)
    for name, array in Engine(graph, threads=2).run(inputs).items():
        np.testing.assert_array_equal(array, want[name])


def test_concurrent_runs():
    engine = Engine(GRAPH, threads=2)
    inputs = [pixels(2, seed) for seed in range(6)]
    want = [walk(GRAPH, each)[LOGITS] for each in inputs]
    faults = []

    def work(i):
        equal = [np.array_equal(engine.run(inputs[i])[LOGITS], want[i]) for _ in range(20)]
        faults.extend([i] * equal.count(False))

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults


def in_a_fork(engine, inputs, want, answers):
    answers.put(all(np.array_equal(engine.run(inputs)[LOGITS], want) for _ in range(3)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can't fork")
@pytest.mark.parametrize("batch", [1, 3])
def test_an_engine_works_after_a_fork(batch):
    """Its helping threads stay behind in the parent, even if a run is under way there."""
    engine, inputs = Engine(GRAPH, TYPES, threads=2), pixels(batch)
    want = engine.run(inputs)[LOGITS]
    stop = threading.Event()
    busy = threading.Thread(target=lambda: [engine.run(inputs) for _ in iter(stop.is_set, True)])
    busy.start()
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        children = [context.Process(target=in_a_fork, args=(engine, inputs, want, answers)) for _ in range(3)]
        for child in children:
            child.start()
    for child in children:
        child.join(60)
    stop.set()
    busy.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert all(answers.get() for _ in children)


def in_a_new_process(answers):
    answers.put(Engine(GRAPH, threads=2).run(pixels(3))[LOGITS])


def test_a_spawned_process_gives_the_same_bits():
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    child = context.Process(target=in_a_new_process, args=(answers,))
    child.start()
    np.testing.assert_array_equal(answers.get(), walk(GRAPH, pixels(3))[LOGITS])
    child.join(60)


def test_a_profile_names_every_step():
    engine = Engine(GRAPH)
    steps = engine.profile(pixels(1), repeats=3)
    assert [(step.nodes, step.kind) for step in steps] == [(stage.nodes, stage.kind) for stage in engine.plan.stages]
    assert {"LayerNorm", "Linear", "Linear+GeluTable", "Linear+Add"} <= {step.kind for step in steps}
    assert all(step.nanoseconds > 0 for step in steps)


def test_nothing_is_allocated_or_compiled_while_running():
    engine, inputs = Engine(GRAPH, threads=1), pixels(1)
    engine.run(inputs)
    compiled = {name: set(kernel.signatures) for name, kernel in KERNELS.items()}
    with engine._crew.lane() as lane:
        tracemalloc.start()
        try:
            for _ in range(50):  # which fills Python's own lists of objects to use again
                lane.program.run_alone()
            before = tracemalloc.get_traced_memory()[0]
            for _ in range(50):
                lane.program.run_alone()
            current, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert current - before < 1024
    assert peak - before < 4096
    assert compiled == {name: kernel.signatures for name, kernel in KERNELS.items()}


def test_sizes_and_errors():
    engine = Engine(GRAPH)
    values = sum(TYPES[n].size * TYPES[n].dtype.bits // 8 for node in GRAPH.nodes for n in node.outputs)
    assert 0 < engine.arena_bytes < values
    assert engine.packed_bytes > 0
    with pytest.raises(UsageError):
        Engine(GRAPH, threads=0)


def test_graph_constants_are_not_written():
    before = {name: array.copy() for name, array in GRAPH.constants.items()}
    Engine(GRAPH).run(pixels(2))
    for name, array in before.items():
        np.testing.assert_array_equal(GRAPH.constants[name], array)


def test_arithmetic_on_constants_alone():
    one = {"a": np.array([[3]], np.int8), "b": np.array([[5]], np.int8)}
    op = ops.Add(multiplier_a=1 << 20, multiplier_b=1 << 20, shift=20, to=IntType(8, True), low=-128, high=127)
    graph = Graph({"x": TensorType(U8, (1, 1), 0)}, ("y",), one, (Node("n", op, ("a", "b"), ("y",)),))
    assert Engine(graph).run({"x": np.zeros((1, 1), np.uint8)})["y"] == 8


def test_placed_buffers_never_overlap():
    rng = np.random.default_rng(0)
    for _ in range(50):
        firsts = rng.integers(0, 20, 30)
        buffers = [Buffer(int(rng.integers(1, 500)), int(f), int(f + rng.integers(0, 6))) for f in firsts]
        offsets, total = place(buffers)
        for i, a in enumerate(buffers):
            assert offsets[i] % ALIGNMENT == 0
            assert offsets[i] + a.size <= total
            for j, b in enumerate(buffers[:i]):
                apart = offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
                assert apart or not a.lives_with(b)
