"""A graph's constants: each held once, packed or not, and always with the values that the file has."""

import weakref
from dataclasses import replace

import numpy as np
from helpers.attention import attention_graph, attention_inputs
from helpers.graphs import model_bytes
from helpers.identical import assert_all_identical

from intvit.io import IntegerModel, model_from_bytes, model_to_bytes
from intvit.runtime.constants import Constants
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

DATA = model_bytes(attention_graph())
GRAPH = model_from_bytes(DATA).graph
WEIGHTS = {node.inputs[1] for node in GRAPH.nodes if node.op.kind() == "Linear"}


def test_constants_are_a_mapping():
    array = np.arange(3)
    constants = Constants({"a": array, "b": array})
    assert constants["a"] is array
    constants.replace("b", lambda: array + 1)
    assert list(constants) == ["a", "b"]
    assert "b" in constants
    assert "c" not in constants
    assert constants.get("c") is None
    assert_all_identical(dict(constants), {"a": array, "b": array + 1})


def test_an_engine_lets_go_of_the_weights_that_it_packs(level):
    arrays = {name: array.copy() for name, array in GRAPH.constants.items()}
    alive = {name: weakref.ref(array) for name, array in arrays.items()}
    graph = replace(GRAPH, constants=Constants(arrays))
    del arrays
    engine = Engine(graph, level=level)
    assert not {name for name in WEIGHTS if alive[name]()}
    assert_all_identical(dict(graph.constants), dict(GRAPH.constants))
    inputs = attention_inputs()
    assert_all_identical(engine.run(inputs), run_reference(GRAPH, inputs))
    values = Engine(GRAPH, level=level).run_all(inputs)
    assert_all_identical(engine.run_all(inputs), values)
    assert_all_identical(Engine(graph, level=level).run_all(inputs), values)


def test_a_graph_of_arrays_keeps_them():
    before = dict(GRAPH.constants)
    Engine(GRAPH)
    assert all(GRAPH.constants[name] is array for name, array in before.items())


def test_a_model_is_written_as_it_was_read_after_packing():
    model = model_from_bytes(DATA)
    graph = replace(model.graph, constants=Constants(model.graph.constants))
    Engine(graph)
    assert model_to_bytes(IntegerModel(graph, model.info)) == DATA
