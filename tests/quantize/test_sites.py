"""What a value is used for decides its type, and what is added up shares a scale."""

from pathlib import Path

import numpy as np
import pytest

from intvit.importer import import_onnx
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.linear_layers import linear_layers
from intvit.quantize.sites import find_sites
from intvit.quantize.uses import UseKind

EXPORTS = Path(__file__).parent.parent / "data" / "exports"
HEADS, WIDTH = 3, 8


@pytest.fixture(scope="module")
def sites():
    graph = FloatGraph(import_onnx(EXPORTS / "timm_torchscript17.onnx"))
    return find_sites(graph, linear_layers(graph))


def test_queries_and_keys_are_tied_by_head_and_values_are_free(sites):
    site = next(site for site in sites.values() if site.kind == UseKind.MATMUL)
    query, key, value = site.ties.reshape(3, HEADS, WIDTH)
    for part in (query, key):
        assert all(len(set(head)) == 1 for head in part)
        assert len(np.unique(part)) == HEADS
    assert len(np.unique(value)) == HEADS * WIDTH


def test_the_last_block_keeps_only_the_row_that_is_read(sites):
    linear_inputs = [site for site in sites.values() if site.kind == UseKind.LINEAR]
    assert len(linear_inputs[-1].rows) == 1
    assert len(linear_inputs[0].rows) > 1


def test_residual_stream_gelu_input_and_logits_have_their_own_kinds(sites):
    kinds = [site.kind for site in sites.values()]
    assert kinds.count(UseKind.OUTPUT) == 1
    assert kinds.count(UseKind.GELU) >= 2
    assert UseKind.STREAM in kinds
