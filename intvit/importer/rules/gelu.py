"""Recognise GELU in its erf and tanh spellings."""

import math
from collections.abc import Iterator

import onnx_ir as ir

from intvit.importer.rewrite import Editor, Rule, array_of, known_dims
from intvit.importer.rules.polynomial import Polynomial, is_close, polynomial_of

_TANH_SCALE = math.sqrt(2 / math.pi)
_INNER: dict[str, Polynomial] = {
    "Erf": {(1,): math.sqrt(0.5)},
    "Tanh": {(1,): _TANH_SCALE, (3,): _TANH_SCALE * 0.044715},
}
_OUTER: Polynomial = {(1, 0): 0.5, (1, 1): 0.5}
_REACH = 6


def _erf(editor: Editor, node: ir.Node) -> bool:
    """`x / 2 * (1 + erf(x / sqrt 2))`."""
    return _fuse(editor, node, "none")


def _tanh(editor: Editor, node: ir.Node) -> bool:
    """`x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`."""
    return _fuse(editor, node, "tanh")


def _fuse(editor: Editor, node: ir.Node, approximate: str) -> bool:
    curve = node.outputs[0]
    for source in _operands(node.inputs[0], _REACH):
        if not is_close(polynomial_of(node.inputs[0], (source,)), _INNER[node.op_type]):
            continue
        for root in _users(curve, _REACH):
            if is_close(polynomial_of(root.outputs[0], (source, curve)), _OUTER):
                out = editor.emit("Gelu", [source], known_dims(source), at=root, approximate=approximate)
                editor.supersede(root.outputs[0], out)
                return True
    return False


def _operands(value: ir.Value | None, reach: int) -> Iterator[ir.Value]:
    """Yield the activations from which a value is computed, the nearest first, at most `reach` nodes back."""
    level = [value]
    for _ in range(reach):
        producers = [v.producer() for v in level if v is not None]
        level = list(dict.fromkeys(v for p in producers if p is not None for v in p.inputs))
        yield from (v for v in level if v is not None and array_of(v) is None)


def _users(value: ir.Value, reach: int) -> Iterator[ir.Node]:
    """Yield the sums and products made from a value, the nearest first, at most `reach` nodes on."""
    level = [value]
    for _ in range(reach):
        nodes = [use.node for v in level for use in v.uses() if use.node.op_type in ("Add", "Mul")]
        yield from dict.fromkeys(nodes)
        level = [node.outputs[0] for node in dict.fromkeys(nodes)]


GELU_RULES = (
    Rule("gelu_erf", ("Erf",), _erf),
    Rule("gelu_tanh", ("Tanh",), _tanh),
)
