"""Under a budget for 16 bits the rows that the output reads have layers of their own: which weights these share."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from intvit import ops
from intvit.importer import import_onnx
from intvit.io import IntegerModel
from intvit.ir import Node, check_graph
from intvit.kernels.pack import pack
from intvit.quantize import quantize
from intvit.report.comparison import compare_nodes
from intvit.runtime import bind_linear
from intvit.runtime.engine import Engine

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
PIXELS = list(np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8))


@pytest.fixture(scope="module")
def widest() -> IntegerModel:
    """Everything has 16 bits."""
    return quantize(EXPORT, PIXELS, recipe="accurate", budget=2.0)


def layers(model: IntegerModel) -> list[Node]:
    return [node for node in model.graph.nodes if isinstance(node.op, ops.Linear)]


def test_layers_of_the_same_weights_share_them_where_both_read_16_bits(widest: IntegerModel) -> None:
    names = Counter(node.inputs[1] for node in layers(widest))
    read = [node for node in layers(widest) if "_read" in node.name]
    assert read
    assert all(names[node.inputs[1]] == 2 for node in read)
    arrays = [array for name, array in widest.graph.constants.items() if name in names]
    assert len({array.tobytes() for array in arrays}) == len(arrays)


def test_where_one_reads_8_bits_each_has_its_own() -> None:
    model = quantize(EXPORT, PIXELS, recipe="accurate", budget=1.6)
    types = check_graph(model.graph)
    bits = {node.name: types[node.inputs[0]].dtype.bits for node in layers(model)}
    weights = {node.name: node.inputs[1] for node in layers(model)}
    pairs = [(name, name.replace("_read", "_others")) for name in bits if "_read" in name]
    assert {bits[a] + bits[b] for a, b in pairs} == {24, 32}
    assert all((weights[a] == weights[b]) == (bits[a] == bits[b] == 16) for a, b in pairs)


def test_shared_weights_are_packed_once(widest: IntegerModel, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = []
    monkeypatch.setattr(bind_linear, "pack", lambda weight, *rest: (packed.append(weight.tobytes()), pack(weight, *rest)))
    Engine(widest.graph)
    biases = {node.inputs[1:3] for node in layers(widest)}
    assert len(packed) == len(set(packed)) == len({weight for weight, _ in biases}) < len(biases)


def test_every_value_is_compared_with_a_float_value(widest: IntegerModel) -> None:
    twins = [node.metadata["source"] for node in widest.graph.nodes if "source" in node.metadata]
    nodes = compare_nodes(widest, import_onnx(EXPORT), PIXELS[:1])
    assert [node.source for node in nodes] == twins
    assert any("_read" in source for source in twins)
