"""No bit of any answer changes unnoticed: compare with the digests that `generate.py` wrote."""

import json

import pytest
from golden.generate import FILE, digests
from helpers.attention import attention_graph, attention_inputs

from intvit.io import FORMAT_VERSION
from intvit.io.digest import digest_all
from intvit.ops import OPS
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

STORED = json.loads(FILE.read_text("utf-8"))


@pytest.fixture(scope="module")
def computed():
    return digests()


def test_the_golden_file_covers_every_operator():
    assert STORED["operators"].keys() == set(OPS)
    assert STORED["made_by"]["format"] == FORMAT_VERSION
    assert len(STORED["attention"]["nodes"]) == len(attention_graph().nodes)


@pytest.mark.parametrize("kind", STORED["operators"])
def test_operators_give_the_golden_bits(kind, computed):
    assert computed["operators"][kind] == STORED["operators"][kind]


def test_the_model_gives_the_golden_bits(computed):
    stored, now = STORED["attention"], computed["attention"]
    assert now["input"] == stored["input"]
    assert now["constants"] == stored["constants"]
    assert [n for n, digest in now["nodes"].items() if digest != stored["nodes"][n]] == []


def test_the_engine_gives_the_golden_bits_one_image_at_a_time():
    graph, inputs = attention_graph(), attention_inputs(2)
    engine, wanted = Engine(graph), run_reference(graph, inputs)
    got = engine.run(inputs)
    assert digest_all(got) == digest_all(wanted)
    for image in range(2):
        alone = {"pixels": inputs["pixels"][image : image + 1]}
        assert digest_all(engine.run(alone)) == digest_all({n: a[image : image + 1] for n, a in wanted.items()})


def test_a_changed_bit_is_noticed(computed):
    inputs = attention_inputs(2)
    inputs["pixels"][0, 0, 0] ^= 128
    outputs = run_reference(attention_graph(), inputs)
    assert digest_all(outputs) != digest_all(run_reference(attention_graph(), attention_inputs(2)))
