"""The input: uint8 pixels, whose normalization is an encoding that the first layer absorbs."""

from __future__ import annotations

import numpy as np

from intvit.data.preprocess import Preprocess
from intvit.errors import UnsupportedModelError
from intvit.ir import TensorType
from intvit.numerics import U8
from intvit.quantize.encoding import Encoding
from intvit.quantize.lower.context import Context

PIXELS = "pixels"


def declare_pixels(context: Context, preprocess: Preprocess) -> None:
    """Declare the input `pixels` u8 [N, H, W, 3]; `(p / 255 - mean) / std` is a scale and a zero point for each colour."""
    graph = context.graph
    _, _, height, width = graph.shapes[graph.input]
    if any(node.op != "Conv" for node, _ in graph.consumers.get(graph.input, [])):
        raise UnsupportedModelError(
            "the image input must go straight into the patch embedding convolution",
            where=graph.input,
            hint="export the model without preprocessing inside; give mean and std by --preprocess",
        )
    context.builder.input(PIXELS, TensorType(U8, (1, height, width, 3), 0))
    mean, std = (np.array([float(v) for v in f()]) for f in (preprocess.mean_fractions, preprocess.std_fractions))
    encoding = Encoding(U8, (1 / (255 * std)).reshape(1, 1, 1, 3), (255 * mean).reshape(1, 1, 1, 3))
    context.set(graph.input, PIXELS, encoding, made=False)
