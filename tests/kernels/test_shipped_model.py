"""The shipped model on real images: the reference's bits at every level, number of threads and batch size."""

from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from intvit.io import load_model
from intvit.ir import check_graph
from intvit.kernels.simd import supported_levels
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference
from intvit.runtime.session import Session

MODELS = Path(__file__).parent.parent.parent / "models"
BATCHES, THREADS = (1, 2, 3, 8, 17), (1, 2, 3, 5, 8)


@pytest.fixture(scope="module")
def shipped():
    """Return the model, its input and output names, images, and the reference's answers to them."""
    model = load_model(MODELS / "digits_vit.int8.onnx")
    preprocess = Session(model, executor="reference").preprocess
    files = islice(cycle(sorted((MODELS / "calibration").glob("*.png"))), max(BATCHES))
    pixels = np.stack([preprocess.apply(np.asarray(Image.open(file).convert("RGB"))) for file in files])
    (name,), (logits,) = model.graph.inputs, model.graph.outputs
    return model.graph, name, logits, pixels, run_reference(model.graph, {name: pixels})[logits]


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("simd", supported_levels())
def test_the_bits_of_the_reference(shipped, simd, threads):
    graph, name, logits, pixels, want = shipped
    engine = Engine(graph, check_graph(graph), threads=threads, level=simd)
    for batch in BATCHES:
        np.testing.assert_array_equal(engine.run({name: pixels[:batch]})[logits], want[:batch])
