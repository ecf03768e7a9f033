"""Small graphs made from an operator and arrays."""

import numpy as np

from intvit.io import IntegerModel, ModelInfo, model_to_bytes
from intvit.ir import Graph, Node, TensorType
from intvit.numerics import S32, IntType
from intvit.ops import Requantize

UNBATCHED = None


def full(kind, **more):
    """The output attributes of an operator that uses the whole range of `kind`."""
    return {"to": kind, "low": kind.low, "high": kind.high, **more}


def type_of(array, batch=1, batch_axis=0):
    """The type of an activation whose `batch_axis` holds `batch` images."""
    shape = list(array.shape)
    if batch_axis is not None:
        shape[batch_axis] //= batch
    return TensorType(IntType.of(array.dtype), tuple(shape), batch_axis)


def op_graph(op, activations, constants=None, batch=1, batch_axis=0, limits=None):
    """Return a graph of one operator.

    Args:
        op: the operator.
        activations: arrays for those of its inputs that become graph inputs.
        constants: arrays for those that become constants.
        batch: how many images the activations hold along `batch_axis`.
        batch_axis: the axis of all activations that carries the batch, or None.
        limits: activation name to (low, high): a `Requantize` clips that s32 input first, so that its interval is known.
    """
    constants, limits = dict(constants or {}), limits or {}
    nodes, source = [], {name: name for name in op.input_names}
    for name, (low, high) in limits.items():
        clip = Requantize(to=S32, low=low, high=high, shift=2)
        constants["same"] = np.array([4], np.int32)
        source[name] = f"{name}_clipped"
        nodes.append(Node(f"clip_{name}", clip, (name, "same"), (source[name],)))
    nodes.append(Node("node", op, tuple(source[name] for name in op.input_names), op.output_names))
    inputs = {name: type_of(array, batch, batch_axis) for name, array in activations.items()}
    return Graph(inputs, op.output_names, constants, tuple(nodes))


def model_bytes(graph, **info):
    """Return the file content of a model with this graph."""
    return model_to_bytes(IntegerModel(graph, ModelInfo(**info)))
