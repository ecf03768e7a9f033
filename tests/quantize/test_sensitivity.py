"""Sensitivities: what they say that errors do to the outputs, against what they do."""

from pathlib import Path

import numpy as np
import pytest

from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.quantize.api import normalizer
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.injection import Injection
from intvit.quantize.layer_rows import LayerRows
from intvit.quantize.linear_layers import linear_layers
from intvit.quantize.sensitivity import EVEN_SHARE, Sensitivity, sensitivities

EXPORTS = Path(__file__).parent.parent / "data" / "exports"
IMAGES = list(np.random.default_rng(3).integers(0, 256, (48, 16, 16, 3), np.uint8))
SIZE = 1e-3
NORMALIZE = normalizer(Preprocess.preset("imagenet", 16, 16))


def measure(path, images=IMAGES):
    model = import_onnx(path)
    graph = FloatGraph(model)
    layers = list(linear_layers(graph).values())
    rows = LayerRows(model, layers, images, NORMALIZE)
    return model, layers, rows, sensitivities(graph, model, layers, rows, images, NORMALIZE)


@pytest.mark.parametrize("name", ["timm_torchscript17", "sequence_first_torchscript17"])
def test_random_errors_do_to_the_outputs_what_is_said(name):
    model, layers, rows, found = measure(EXPORTS / f"{name}.onnx")
    assert set(found) == {layer.name for layer in layers}
    injection = Injection(model, [layer.output for layer in layers], [], NORMALIZE(np.stack(IMAGES)))
    rng = np.random.default_rng(0)
    for layer in layers:

        def noisy(seen, layer=layer):
            return seen[layer.output] + rng.normal(size=seen[layer.output].shape) * SIZE

        real = np.mean(injection.errors(layer.output, [noisy] * 8))
        noise = rng.normal(size=(len(rows.of(layer)), layer.weight.shape[1])) * SIZE
        assert 0.6 < found[layer.name].squared_error(noise) / real < 1.6, layer.name


def test_rows_count_one_on_average_and_never_nothing_where_weights_are_fitted():
    _, layers, rows, found = measure(EXPORTS / "timm_torchscript17.onnx")
    for layer in layers:
        sensitivity = found[layer.name]
        assert sensitivity.rows.shape == (len(rows.of(layer)),)
        assert sensitivity.rows.mean() == pytest.approx(1)
        assert sensitivity.even_rows.mean() == pytest.approx(1)
        assert sensitivity.even_rows.min() >= EVEN_SHARE
        assert np.linalg.eigvalsh(sensitivity.damped_channels).min() > 0


def test_the_same_images_give_the_same():
    first, second = (measure(EXPORTS / "timm_torchscript17.onnx", IMAGES[:4])[3] for _ in range(2))
    for name, sensitivity in first.items():
        np.testing.assert_array_equal(sensitivity.rows, second[name].rows)
        np.testing.assert_array_equal(sensitivity.channels, second[name].channels)


def test_fewer_gradients_are_damped_more():
    channels = np.diag([1.0, 3.0])
    added = [np.diag(Sensitivity(np.ones(4), channels, count).damped_channels - channels).mean() for count in (1000, 8)]
    assert added[1] > added[0] > 0
    assert (np.diag(Sensitivity(np.ones(4), 0 * channels, 8).damped_channels) > 0).all()
