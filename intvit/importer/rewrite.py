"""What every rewrite rule needs: reading constants, adding nodes, and replacing values under unique names."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import onnx_ir.passes.common as passes

Array = np.ndarray[Any, np.dtype[Any]]
Attribute = int | float | str | Sequence[int]


@dataclass(frozen=True)
class Rule:
    """One rewrite: tried on every node of the given op types, it returns whether it changed the graph."""

    name: str
    op_types: tuple[str, ...]
    apply: Callable[["Editor", ir.Node], bool]


class Editor:
    """Changes one graph and counts the rules that fired."""

    def __init__(self, model: ir.Model) -> None:
        self.model = model
        self.graph = model.graph
        self.counts: Counter[str] = Counter()
        self._names = {node.name for node in self.graph} | {value.name for value in values(self.graph)}

    def run(self, rules: Iterable[Rule]) -> None:
        """Apply each rule once to every node, in graph order, and drop what became unused."""
        for rule in rules:
            for node in tuple(self.graph):
                alive = node.graph is self.graph and node.domain == ""
                if alive and node.op_type in rule.op_types and rule.apply(self, node):
                    self.counts[rule.name] += 1
            passes.RemoveUnusedNodesPass()(self.model)

    def unique(self, name: str) -> str:
        """Return the name itself, or with the first free number appended."""
        free, number = name, 1
        while free in self._names:
            number += 1
            free = f"{name}_{number}"
        self._names.add(free)
        return free

    def constant(self, array: Array, name: str) -> ir.Value:
        """Add an initializer."""
        name = self.unique(name)
        value = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
            const_value=ir.tensor(array.copy(order="C"), name=name),
        )
        self.graph.register_initializer(value)
        return value

    def integers(self, numbers: Sequence[int], name: str) -> ir.Value:
        """Add an int64 initializer."""
        return self.constant(np.array(numbers, dtype=np.int64), name)

    def emit(
        self,
        op_type: str,
        inputs: Sequence[ir.Value | None],
        dims: Sequence[int],
        *,
        at: ir.Node,
        name: str | None = None,
        **attributes: Attribute,
    ) -> ir.Value:
        """Insert a node with one float output of the given dims before the node `at`, whose name it takes or extends.

        Args:
            op_type: the ONNX operator.
            inputs: its inputs.
            dims: dims of its output.
            at: the node to insert before.
            name: suffix for the name of `at`; without one the new node takes that name over, and `at` must go.
            **attributes: the attributes of the operator.
        """
        full = self.unique(f"{at.name}_{name}") if name else at.name or at.op_type
        node = ir.node(op_type, inputs, attributes=attributes, num_outputs=1, name=full)
        out = node.outputs[0]
        out.name = self.unique(f"{full}_output")
        out.dtype, out.shape = ir.DataType.FLOAT, ir.Shape(dims)
        self.graph.insert_before(at, node)
        return out

    def supersede(self, old: ir.Value, new: ir.Value) -> None:
        """Use a value just emitted wherever another was used, under the name of that other."""
        ir.convenience.replace_all_uses_with(old, new, replace_graph_outputs=True)
        name, old.name = old.name, self.unique(f"{old.name}_source")
        new.name = name

    def bypass(self, old: ir.Value, existing: ir.Value) -> bool:
        """Use an earlier value wherever another was used; refuse where that would lose a name of the signature."""
        if old.is_graph_output():
            if existing.is_graph_output() or existing.producer() is None:
                return False
            self.supersede(old, existing)
            return True
        ir.convenience.replace_all_uses_with(old, existing)
        return True


def values(graph: ir.Graph) -> Iterator[ir.Value]:
    """Yield inputs, initializers and node outputs of a graph, in this order."""
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def array_of(value: ir.Value | None) -> Array | None:
    """Return the array behind a constant value, or None for anything else."""
    if value is None or value.const_value is None or value.is_graph_input():
        return None
    return value.const_value.numpy()


def floats_of(value: ir.Value | None) -> Array | None:
    """Return the array behind a float constant, or None for anything else."""
    array = array_of(value)
    return array if array is not None and array.dtype == np.float32 else None


def scalar_of(value: ir.Value | None) -> float | None:
    """Return the number behind a constant of one element, or None for anything else."""
    array = array_of(value)
    return float(array.reshape(())) if array is not None and array.size == 1 else None


def integers_of(value: ir.Value | None) -> list[int] | None:
    """Return the numbers behind an integer constant, or None for anything else."""
    array = array_of(value)
    return [int(n) for n in array.ravel()] if array is not None and array.dtype.kind in "iu" else None


def dims_of(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return the dims of a value if all are known."""
    if value is None or value.shape is None or not value.shape.is_static():
        return None
    return value.shape.numpy()


def known_dims(value: ir.Value | None) -> tuple[int, ...]:
    """Return the dims of a value of which they are known to be known."""
    dims = dims_of(value)
    if dims is None:
        raise AssertionError(f"unknown dims: {value}")
    return dims


def name_of(value: ir.Value | None) -> str:
    """Return the name of a value, or "constant" where it has none."""
    return "constant" if value is None or value.name is None else value.name


def input_of(node: ir.Node, index: int) -> ir.Value | None:
    """Return an input, or None where it is absent."""
    return node.inputs[index] if index < len(node.inputs) else None


def only_user(value: ir.Value) -> ir.Node | None:
    """Return the single consumer of a value, or None where there are several or the value is an output."""
    uses = value.uses()
    return next(iter(uses)).node if len(uses) == 1 and not value.is_graph_output() else None


def produced_by(value: ir.Value | None, *op_types: str) -> ir.Node | None:
    """Return the ONNX node that makes a value if it is of one of the given types."""
    node = None if value is None else value.producer()
    return node if node is not None and node.domain == "" and node.op_type in op_types else None


def split_constant(node: ir.Node) -> tuple[ir.Value, ir.Value] | None:
    """Return (activation, float constant) of a two-input node, whichever way round they are."""
    first, second = node.inputs[0], node.inputs[1]
    if first is None or second is None:
        return None
    if floats_of(second) is not None and array_of(first) is None:
        return first, second
    if floats_of(first) is not None and array_of(second) is None:
        return second, first
    return None
