"""Follow the batch from the input through the graph: which axis of which value carries it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from intvit.importer.model import HELPER, is_helper
from intvit.importer.rewrite import array_of, dims_of, input_of, integers_of, known_dims

_SAME = ("Softmax", "LayerNormalization", "Identity", "Cast", "Slice", "Conv", "GlobalAveragePool", "Concat", "Split")


@dataclass(frozen=True)
class Batch:
    """Where the batch is: in `axis`, among `outer` rows before it and `inner` rows after it in the same axis."""

    axis: int
    outer: int = 1
    inner: int = 1

    def moved(self, axis: int) -> "Batch":
        """The same rows in another axis."""
        return Batch(axis, self.outer, self.inner)

    @property
    def label(self) -> str:
        """The dim as `CanonicalModel.shapes` has it: "N" or "k*N"."""
        rows = self.outer * self.inner
        return "N" if rows == 1 else f"{rows}*N"


def follow_batch(graph: ir.Graph) -> tuple[dict[ir.Value, Batch], bool]:
    """Find the batch of every value of a graph whose input has batch 1.

    Args:
        graph: a graph with one input and known shapes.

    Returns:
        The batch of the values that carry one, and whether it was never lost on the way.
    """
    found = {graph.inputs[0]: Batch(0)}
    complete = True
    for node in graph:
        if is_helper(node):
            continue
        carried = {v: found[v] for v in node.inputs if v is not None and v in found}
        if not carried and node.op_type == "Expand" and (axis := helper_axis(node)) is not None:
            found[node.outputs[0]] = Batch(axis)
        if not carried:
            continue
        for out in node.outputs:
            batch = None if dims_of(out) is None else _through(node, out, carried)
            if batch is None or batch.axis >= len(known_dims(out)):
                complete = False
            else:
                found[out] = batch
    return found, complete


def helper_axis(node: ir.Node) -> int | None:
    """Return the batch axis of an `Expand` whose target is computed from the batch."""
    target = input_of(node, 1)
    producer = None if target is None else target.producer()
    return None if producer is None or not is_helper(producer) else int(producer.metadata_props[HELPER])


def _through(node: ir.Node, out: ir.Value, carried: dict[ir.Value, Batch]) -> Batch | None:
    source = node.inputs[0]
    first = None if source is None else carried.get(source)
    match node.op_type:
        case "MatMul":
            return _broadcast(out, carried)
        case "Transpose" if first is not None:
            perm = list(node.attributes.get_ints("perm", ()))
            return first.moved(perm.index(first.axis)) if perm else None
        case "Reshape" | "Flatten" if first is not None and source is not None:
            return landing(known_dims(source), first, known_dims(out))
        case "Squeeze" if first is not None and source is not None:
            return _squeeze(node, first, len(known_dims(source)))
        case "Unsqueeze" if first is not None:
            return _unsqueeze(node, first, len(known_dims(out)))
        case "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" if first is not None and source is not None:
            return _reduce(node, first, len(known_dims(source)))
        case "Gather" if first is not None and source is not None:
            return _gather(node, first, len(known_dims(source)))
        case op_type if op_type in _SAME:
            batch = next(iter(carried.values()))
            joined = op_type == "Concat" and node.attributes.get_int("axis", 0) % len(known_dims(out)) == batch.axis
            return None if joined else batch
    return _broadcast(out, carried)


def _broadcast(out: ir.Value, carried: dict[ir.Value, Batch]) -> Batch | None:
    """Axes align from the right, and all operands must agree."""
    rank = len(known_dims(out))
    aligned = {batch.moved(batch.axis + rank - len(known_dims(value))) for value, batch in carried.items()}
    batch = aligned.pop()
    fits = not aligned and batch.axis >= 0 and known_dims(out)[batch.axis] == batch.outer * batch.inner
    return batch if fits else None


def landing(before: Sequence[int], batch: Batch, after: Sequence[int]) -> Batch | None:
    """Find the batch after a reshape: it stays behind the same number of rows.

    With batch 1 several axes can qualify. An axis of size 1 is preferred, at the same index if possible; otherwise the
    batch joins the axis that starts there, or, if that is the last one (the channels), the axis before it.
    """
    rows = math.prod(before[: batch.axis]) * batch.outer
    starts = [math.prod(after[:i]) for i in range(len(after) + 1)]
    ones = [i for i, size in enumerate(after) if size == 1 and starts[i] == rows]
    if ones:
        return Batch(min(ones, key=lambda i: (abs(i - batch.axis), i)))
    last = len(after) - 1
    for axis, size in enumerate(after):
        if starts[axis] == rows and (axis < last or axis == 0):
            return Batch(axis, inner=size)
        if starts[axis + 1] == rows and axis >= last - 1:
            return Batch(axis, outer=size)
        outer, remainder = divmod(rows, starts[axis])
        if starts[axis] < rows < starts[axis + 1] and remainder == 0 and size % outer == 0:
            return Batch(axis, outer, size // outer)
    return None


def _squeeze(node: ir.Node, batch: Batch, rank: int) -> Batch | None:
    axes = integers_of(input_of(node, 1))
    gone = {axis % rank for axis in axes or ()}
    if not axes or batch.axis in gone:
        return None
    return batch.moved(batch.axis - sum(axis < batch.axis for axis in gone))


def _unsqueeze(node: ir.Node, batch: Batch, rank: int) -> Batch | None:
    axes = integers_of(input_of(node, 1))
    if not axes:
        return None
    added = {axis % rank for axis in axes}
    kept = [axis for axis in range(rank) if axis not in added]
    return batch.moved(kept[batch.axis])


def _reduce(node: ir.Node, batch: Batch, rank: int) -> Batch | None:
    axes = integers_of(input_of(node, 1))
    gone = {axis % rank for axis in axes or ()}
    if not axes or batch.axis in gone:
        return None
    keep = node.attributes.get_int("keepdims", 1)
    return batch if keep else batch.moved(batch.axis - sum(axis < batch.axis for axis in gone))


def _gather(node: ir.Node, batch: Batch, rank: int) -> Batch | None:
    axis = node.attributes.get_int("axis", 0) % rank
    indices = array_of(node.inputs[1])
    if indices is None or axis == batch.axis:
        return None
    return batch if axis > batch.axis else batch.moved(batch.axis + indices.ndim - 1)
