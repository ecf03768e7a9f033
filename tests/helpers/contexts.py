"""What lowering starts from: a model that was calibrated, and perhaps differentiated."""

from intvit.quantize.calibrate import calibrate
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.layer_rows import LayerRows
from intvit.quantize.linear_layers import linear_layers
from intvit.quantize.lower.context import Context
from intvit.quantize.sensitivity import sensitivities
from intvit.quantize.sites import find_sites


def calibrated(model, images, normalize, recipe):
    """Return the context of a canonical model, calibrated on uint8 images [H, W, 3]."""
    graph = FloatGraph(model)
    layers = linear_layers(graph)
    sites = find_sites(graph, layers)
    rows = LayerRows(model, list(layers.values()), images, normalize)
    return Context(graph, layers, sites, calibrate(model, sites, images, normalize), recipe, rows)


def differentiated(model, images, normalize, recipe):
    """Return the same with how much errors of the layers' outputs count."""
    context = calibrated(model, images, normalize, recipe)
    layers = list(context.layers.values())
    context.sensitivities = sensitivities(context.graph, model, layers, context.layer_rows, images, normalize)
    return context
