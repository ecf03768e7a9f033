"""Every operator through every executor: one answer, bit for bit."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.attention import attention_graph, attention_inputs
from helpers.executors import EXECUTORS
from helpers.identical import assert_all_identical
from hypothesis import given, settings
from hypothesis import strategies as st
from ops.cases import CASES, GENERATORS
from ops.strategies import STRATEGIES

import intvit.ops
from intvit.ir import OpTypeError, TensorType, certify, check_graph
from intvit.numerics import S8, S32, S64
from intvit.ops import OPS, Linear
from intvit.runtime.reference import run_reference


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_executors_agree_on_fixed_cases(case, executor):
    certify(case.graph).require()
    wanted = run_reference(case.graph, case.inputs)
    assert_all_identical(EXECUTORS[executor](case.graph, case.inputs), wanted)


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_executors_agree_on_a_whole_model(executor, batch):
    graph, inputs = attention_graph(), attention_inputs(batch)
    assert_all_identical(EXECUTORS[executor](graph, inputs), run_reference(graph, inputs))


@pytest.mark.parametrize("kind", OPS)
@settings(max_examples=12)
@given(data=st.data())
def test_executors_agree_on_random_legal_cases(kind, data):
    case = data.draw(STRATEGIES[kind])
    wanted = run_reference(case.graph, case.inputs)
    for run in EXECUTORS.values():
        assert_all_identical(run(case.graph, case.inputs), wanted)


def test_64_bit_outputs_are_refused():
    op = Linear(shift=3, to=S64, low=-(1 << 40), high=1 << 40)
    kinds = [TensorType(S8, (1, 1), 0), TensorType(S8, (1, 1)), TensorType(S32, (1,)), TensorType(S32, (1,))]
    with pytest.raises(OpTypeError, match="at most 32 bits"):
        op.infer(kinds)


@pytest.mark.parametrize("kind", OPS)
def test_declared_types_are_the_ones_that_come_out(kind):
    for case in GENERATORS[kind]():
        types = check_graph(case.graph)
        batch = batch_of(case)
        for name, array in run_reference(case.graph, case.inputs).items():
            assert array.dtype == types[name].dtype.dtype
            assert array.shape == types[name].at_batch(batch)


@pytest.mark.parametrize("kind", OPS)
def test_images_of_a_batch_do_not_meet(kind):
    """Running a batch equals running its images one at a time."""
    for case in GENERATORS[kind]():
        batch, types = batch_of(case), check_graph(case.graph)
        together = run_reference(case.graph, case.inputs)
        for image in range(batch):
            alone = {n: part(a, case.graph.inputs[n], image) for n, a in case.inputs.items()}
            wanted = {n: part(a, types[n], image) for n, a in together.items()}
            assert_all_identical(run_reference(case.graph, alone), wanted)


def test_every_operator_has_cases_and_a_strategy():
    assert GENERATORS.keys() == OPS.keys() == STRATEGIES.keys()
    for kind, generator in GENERATORS.items():
        made = list(generator())
        assert made, kind
        assert all(case.kind == kind for case in made)
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))


def test_every_operator_has_its_own_file_and_every_such_file_its_operator():
    folder = Path(intvit.ops.__file__).parent
    shared = {"__init__", "body", "gelu", "movement", "output", "softmax_exp", "softmax_normalized", "two_scale"}
    files = {path.stem for path in folder.glob("*.py")} - shared
    assert files == {snake_case(kind) for kind in OPS}
    for kind, op in OPS.items():
        assert op.__module__ == f"intvit.ops.{snake_case(kind)}"
        assert op.kind() == kind
        assert kind in intvit.ops.__all__


def snake_case(name):
    return "matmul" if name == "MatMul" else re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def batch_of(case):
    (name, kind), *_ = case.graph.inputs.items()
    return 1 if kind.batch_axis is None else case.inputs[name].shape[kind.batch_axis] // kind.shape[kind.batch_axis]


def part(array, kind, image):
    if kind.batch_axis is None:
        return array
    return np.split(array, array.shape[kind.batch_axis] // kind.shape[kind.batch_axis], kind.batch_axis)[image]
