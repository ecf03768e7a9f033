"""From canonical float nodes to integer operators: one function a kind of node."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from intvit.data.preprocess import Preprocess
from intvit.ir import Graph, OpTypeError
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.attention import lower_matmul, lower_softmax
from intvit.quantize.lower.context import Context, unsupported
from intvit.quantize.lower.elementwise import lower_add, lower_concat, lower_mean
from intvit.quantize.lower.gelu import lower_gelu
from intvit.quantize.lower.layer_norm import lower_layer_norm
from intvit.quantize.lower.linear import lower_linear
from intvit.quantize.lower.movement import lower_movement
from intvit.quantize.lower.pixels import declare_pixels
from intvit.quantize.uses import scalar_factor

LOWERINGS: dict[str, Callable[[Context, FloatNode], None]] = {
    "Add": lower_add,
    "Concat": lower_concat,
    "Gelu": lower_gelu,
    "LayerNormalization": lower_layer_norm,
    "MatMul": lower_matmul,
    "ReduceMean": lower_mean,
    "Reshape": lower_movement,
    "Slice": lower_movement,
    "Softmax": lower_softmax,
    "Transpose": lower_movement,
}
"""How each canonical operator is lowered; linear layers, constant factors and `Expand` are handled by their users."""


def lower(context: Context, preprocess: Preprocess) -> tuple[Graph, dict[str, Fraction]]:
    """Lower the whole graph.

    Args:
        context: the float graph with its sites and statistics.
        preprocess: gives the mean and std that are folded into the first layer.

    Returns:
        The integer graph and the real value of one step of every output.

    Raises:
        UnsupportedModelError: a node can't be lowered; names it and the reason.
    """
    declare_pixels(context, preprocess)
    for node in context.graph.nodes:
        try:
            _lower_node(context, node)
        except (OpTypeError, ValueError) as error:
            raise unsupported(node, str(error), "please report this model") from error
    scales = {}
    for name in context.graph.outputs:
        lowered = context.values[name]
        context.builder.rename(lowered.name, name)
        scales[name] = Fraction(float(lowered.encoding.scale.reshape(-1)[0]))
    return context.builder.build(tuple(context.graph.outputs)), scales


def _lower_node(context: Context, node: FloatNode) -> None:
    if node.name in context.layers:
        lower_linear(context, context.layers[node.name])
    elif node.op == "Expand" or any(node.name in layer.nodes for layer in context.layers.values()):
        return
    elif (factor := scalar_factor(context.graph, node)) is not None:
        source = context.values[node.inputs[0]]
        context.set(node.output, source.name, source.encoding.scaled(factor), source.row_sum, made=False)
    elif node.op in LOWERINGS:
        LOWERINGS[node.op](context, node)
    else:
        raise unsupported(node, "no integer operator does this yet", "see 'intvit coverage'")


__all__ = ["LOWERINGS", "lower"]
