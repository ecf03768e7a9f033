"""The float model's multiply-accumulates, counted by hand."""

import pytest
from bench.bench_fixtures import FLOAT, INTEGER

from intvit.bench.float_model import measure_float_model
from intvit.io import load_model
from intvit.ir import check_graph
from intvit.report.macs import macs


def vit_macs(tokens, width, hidden, depth, patch_values, classes):
    """What a plain ViT multiplies, with all rows of all blocks."""
    block = tokens * (4 * width * width + 2 * width * hidden) + 2 * tokens * tokens * width
    return (tokens - 1) * patch_values * width + depth * block + width * classes


def test_digits():
    facts = measure_float_model(FLOAT)
    assert facts.image_size == (32, 32)
    assert len(facts.sha256) == 64
    assert facts.macs == vit_macs(tokens=65, width=48, hidden=192, depth=3, patch_values=4 * 4 * 3, classes=10)


def test_the_integer_model_leaves_rows_out():
    graph = load_model(str(INTEGER)).graph
    assert 0.5 < macs(graph, check_graph(graph)) / measure_float_model(FLOAT).macs < 1


def test_deit_tiny(data_folder):
    path = data_folder / "models" / "deit_tiny_patch16_224.onnx"
    if not path.exists():
        pytest.skip(f"no {path}")
    assert measure_float_model(path).macs == vit_macs(197, 192, 768, 12, 16 * 16 * 3, 1000)
