"""Overflow, known answer and agreement: all hold for a good model, and each notices its kind of damage."""

from dataclasses import replace

import numpy as np
import pytest

from intvit.errors import CheckFailed, UsageError
from intvit.io import KnownAnswer, model_to_bytes
from intvit.verify import (
    EXECUTORS,
    Executor,
    Subject,
    check_agreement,
    check_known_answer,
    check_overflow,
    find_executors,
)
from intvit.verify.agreement import compare


def with_constant(model, name, array):
    return replace(model, graph=replace(model.graph, constants={**model.graph.constants, name: array}))


def weights_of(model):
    return [(node, node.inputs[1]) for node in model.graph.nodes if node.op.kind() == "Linear"]


def test_no_overflow(subject):
    result = check_overflow(subject.model.graph)
    assert result.ok
    assert result.claims > 100
    slack = [claim.bound.slack_bits for claim in result.tightest]
    assert slack == sorted(slack)


def test_overflow_is_noticed(subject):
    node, _ = weights_of(subject.model)[2]
    bias = subject.model.graph.constants[node.inputs[2]].copy()
    bias[0] = 2**31 - 1
    damaged = with_constant(subject.model, node.inputs[2], bias)
    result = check_overflow(damaged.graph)
    assert not result.ok
    assert result.failures[0].node == node.name


def test_known_answer(subject):
    result = check_known_answer(subject.model)
    assert result.ok
    assert result.nodes == len(subject.model.graph.nodes)
    assert result.first_difference == {"reference": None, "numba": None}


def test_damage_in_one_weight_of_any_layer_is_noticed_and_named(subject):
    rng = np.random.default_rng(0)
    for node, name in weights_of(subject.model)[::3]:
        weight = subject.model.graph.constants[name].copy()
        at = rng.integers(weight.size)
        weight.reshape(-1)[at] ^= 0x40
        result = check_known_answer(with_constant(subject.model, name, weight))
        assert not result.ok
        assert result.first_difference == {"reference": node.name, "numba": node.name}


@pytest.mark.parametrize("answer", [None, KnownAnswer("0" * 64, {}), "input"])
def test_known_answer_that_is_no_use(subject, answer):
    stored = subject.model.info.known_answer
    answer = KnownAnswer("0" * 64, stored.node_digests) if answer == "input" else answer
    model = replace(subject.model, info=replace(subject.model.info, known_answer=answer))
    result = check_known_answer(model)
    assert not result.ok
    assert result.problem


def test_all_executors_agree(subject):
    result = check_agreement(subject, list(EXECUTORS.values()))
    assert result.ok
    assert result.images == 1
    assert len(set(result.digests.values())) == 1


def test_disagreement_is_told(subject):
    def off_by_two(other, pixels):
        outputs = EXECUTORS["reference"].run(other, pixels)
        outputs["logits"][0, 3] -= 2
        return outputs

    result = check_agreement(subject, [EXECUTORS["reference"], Executor("other", off_by_two)])
    assert not result.ok
    (difference,) = result.differences
    assert (difference.executor, difference.count, difference.largest) == ("other", 1, 2)
    assert difference.positions == ((0, 3),)
    assert "first at [0, 3]" in str(difference)


def test_an_executor_that_refuses_the_model(subject):
    broken = Subject(subject.model, subject.data[:-1000])
    result = check_agreement(broken, find_executors(["reference", "onnxruntime", "onnx"]))
    assert not result.ok
    assert list(result.digests) == ["reference"]
    assert {difference.executor for difference in result.differences} == {"onnxruntime", "onnx"}


def test_bytes_that_are_another_model(subject):
    name = weights_of(subject.model)[-1][1]
    other = with_constant(subject.model, name, -np.maximum(subject.model.graph.constants[name], -127))
    result = check_agreement(Subject(subject.model, model_to_bytes(other)), find_executors(["numba", "onnxruntime"]))
    assert not result.ok
    assert result.differences[0].count > 0


def test_compare():
    a = np.arange(6, dtype=np.int32).reshape(2, 3)
    assert compare("x", "y", a, a.copy()) is None
    assert "instead of" in str(compare("x", "y", a, a.astype(np.int64)))
    assert compare("x", "y", a, a + np.int32(1)).count == 6


def test_find_executors():
    assert [e.name for e in find_executors(["onnx", "numba", "onnx"])] == ["onnx", "numba"]
    for names in (["c"], [""], ["reference", "tpu"]):
        with pytest.raises(UsageError):
            find_executors(names)


def test_a_model_that_could_overflow_is_not_loaded(subject):
    node, _ = weights_of(subject.model)[2]
    bias = np.full_like(subject.model.graph.constants[node.inputs[2]], 2**31 - 1)
    with pytest.raises(CheckFailed):
        Subject.load_bytes(model_to_bytes(with_constant(subject.model, node.inputs[2], bias)))
