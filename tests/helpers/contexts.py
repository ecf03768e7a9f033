"""What lowering starts from: a model that was calibrated and differentiated."""

from intvit.quantize.calibrate import calibrate
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.layer_rows import LayerRows
from intvit.quantize.linear_layers import linear_layers
from intvit.quantize.lower.context import Context
from intvit.quantize.sensitivity import sensitivities
from intvit.quantize.sites import find_sites


def differentiated(model, images, normalize, recipe):
    """Return the context of a canonical model, calibrated and differentiated on uint8 images [H, W, 3]."""
    graph = FloatGraph(model)
    layers = linear_layers(graph)
    sites = find_sites(graph, layers)
    statistics = calibrate(model, sites, images, normalize)
    rows = LayerRows(model, list(layers.values()), images, normalize)
    found = sensitivities(graph, model, list(layers.values()), rows, images, normalize)
    return Context(graph, layers, sites, statistics, recipe, rows, found)
