"""Rows of linear layers: what their weights multiply, by layer and by image."""

from pathlib import Path

import numpy as np
import pytest

from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.layer_rows import LayerRows
from intvit.quantize.linear_layers import linear_layers

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
IMAGES = list(np.random.default_rng(3).integers(0, 256, (6, 16, 16, 3), np.uint8))
NORMALIZE = normalizer(Preprocess.preset("imagenet", 16, 16))


@pytest.fixture(scope="module")
def model():
    return import_onnx(EXPORT)


@pytest.fixture(scope="module")
def layers(model):
    return linear_layers(FloatGraph(model))


def test_weights_times_rows_are_the_layer(model, layers):
    """The rows of the patch embedding are patches in the order of its weights."""
    x = NORMALIZE(np.stack(IMAGES))
    feed = FloatGraph(model).input
    names = sorted({name for layer in layers.values() for name in (layer.input, layer.output)} - {feed})
    values = {feed: x} | dict(zip(names, float_session(model, names).run(names, {feed: x}), strict=True))
    for layer in layers.values():
        made = layer.rows(values[layer.input]).reshape(len(x), -1, len(layer.weight)) @ layer.weight + layer.bias
        wanted = values[layer.output]
        if layer.kernel:
            wanted = wanted.reshape(*wanted.shape[:2], -1).swapaxes(1, 2)
        np.testing.assert_allclose(made, wanted.reshape(made.shape), atol=1e-4)


def test_every_layer_has_rows_of_its_own_input_from_every_image(model, layers):
    rows = LayerRows(model, list(layers.values()), IMAGES, NORMALIZE)
    for layer in layers.values():
        own, images = rows.of(layer), rows.images_of(layer)
        assert own.shape == (len(images), len(layer.weight))
        assert own.dtype == np.float64
        np.testing.assert_array_equal(np.unique(images), np.arange(len(IMAGES)))


def test_patches_hold_the_pixels(model, layers):
    patch = next(layer for layer in layers.values() if layer.kernel)
    rows = LayerRows(model, list(layers.values()), IMAGES, NORMALIZE).of(patch)
    first = NORMALIZE(IMAGES[0][None])[0, :, : patch.kernel, : patch.kernel].transpose(1, 2, 0).reshape(-1)
    assert np.abs(rows[0] - first).max() < 2e-3, "kept in 16 bits"
