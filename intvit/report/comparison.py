"""Where accuracy went: every integer value against the float value that it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.data.preprocess import Preprocess
from intvit.errors import UsageError
from intvit.importer import CanonicalModel, with_rows_apart
from intvit.io import IntegerModel
from intvit.ir import Graph, Node, TensorType, check_graph
from intvit.ops.output import RequantizingOp
from intvit.quantize.encoding import Encoding
from intvit.report.float_model import FloatModel
from intvit.report.pixels import Progress
from intvit.report.sqnr import Sqnr
from intvit.runtime.engine import Engine

Array = NDArray[Any]
_SOFTMAX_OUTPUTS = ("e", "row_sum")


@dataclass(frozen=True)
class NodeComparison:
    """One node against the float model.

    Attributes:
        node: the node's name.
        kind: its operator.
        dtype: its output type.
        source: the float value that it stands for.
        sqnr_db: signal to quantization noise; None if there is no noise at all or no signal.
        saturated: the share of codes at either end of the range; None where the operator does not saturate.
    """

    node: str
    kind: str
    dtype: str
    source: str
    sqnr_db: float | None
    saturated: float | None


def compare_nodes(
    model: IntegerModel, canonical: CanonicalModel, pixels: Sequence[Array], progress: Progress | None = None
) -> list[NodeComparison]:
    """Compare all nodes that stand for a float value.

    Args:
        model: the integer model.
        canonical: the float model that it was made from.
        pixels: uint8 [H, W, 3] images at the model's size.
        progress: called with (stage, done, in all).

    Returns:
        One entry a node, in executable order. A node whose float value this version of the importer does not make is left out.

    Raises:
        UsageError: the integer model was not made from this float model.
    """
    preprocess = Preprocess.from_dict(model.info.preprocess, where="the model's preprocessing")
    twins = _twins(model.graph)
    canonical = _closest_form(twins, canonical)
    known = _known_twins(twins, model, canonical)
    sources = [twin.source for twin in known]
    float_model = FloatModel(canonical, preprocess, sources)
    engine = Engine(model.graph)
    name = next(iter(model.graph.inputs))
    for done, image in enumerate(pixels, start=1):
        codes = engine.run_all({name: image[np.newaxis]})
        for twin, exact in zip(known, float_model.run(sources, image[np.newaxis]), strict=True):
            twin.add(codes, exact)
        if progress:
            progress("compare", done, len(pixels))
    return [twin.result() for twin in known]


def _closest_form(twins: Sequence[_Twin], canonical: CanonicalModel) -> CanonicalModel:
    """Return the form of the float model, of those that are lowered, that makes the most values that nodes stand for."""
    if all(twin.source in canonical.shapes for twin in twins):
        return canonical
    forms = canonical, with_rows_apart(canonical)
    return max(forms, key=lambda form: sum(twin.source in form.shapes for twin in twins))


def _known_twins(twins: Sequence[_Twin], model: IntegerModel, canonical: CanonicalModel) -> list[_Twin]:
    known = [twin for twin in twins if twin.source in canonical.shapes]
    same_file = canonical.source_sha256 == model.info.source_sha256
    if not known or (len(known) < len(twins) and not same_file):
        missing = next((twin.source for twin in twins if twin not in known), None)
        raise UsageError(
            "the integer model was not made from this float model",
            expected=f"a float model with SHA-256 {model.info.source_sha256}",
            found=f"no value {missing!r}" if missing else "nodes that don't tell what they stand for",
            hint="give the float model that was quantized, or quantize this one",
        )
    return known


def _twins(graph: Graph) -> list[_Twin]:
    types = check_graph(graph)
    scores = {node.inputs[0] for node in graph.nodes if node.op.output_names == _SOFTMAX_OUTPUTS}
    keys = {"source", "scale", "zero_point"}
    return [_Twin(node, types, node.outputs[0] in scores) for node in graph.nodes if keys <= node.metadata.keys()]


class _Twin:
    """A node that stands for a float value, with what has been measured of it so far.

    A softmax keeps its exponentials and their row sums apart. What goes into a softmax counts up to a constant a row: it takes
    that out again, so quantization leaves zero points in there.
    """

    def __init__(self, node: Node, types: dict[str, TensorType], is_score: bool) -> None:
        self.node = node
        self._is_score = is_score
        self.source = node.metadata["source"]
        self.dtype = types[node.outputs[0]].dtype
        try:
            self._encoding = Encoding.from_metadata(self.dtype, node.metadata)
        except (KeyError, ValueError, TypeError) as error:
            raise UsageError("the node's scale can't be read", where=node.name, found=str(error)) from error
        self._sqnr = Sqnr()
        self._codes = 0
        self._ends = 0

    def add(self, values: dict[str, Array], exact: Array) -> None:
        """Measure one image.

        Raises:
            UsageError: the float value has another number of elements.
        """
        codes = values[self.node.outputs[0]]
        if exact.size != codes.size:
            found = f"{self.source} of shape {list(exact.shape)}"
            raise UsageError("the float value does not fit", where=self.node.name, expected=str(list(codes.shape)), found=found)
        real = self._encoding.real(codes)
        exact = exact.reshape(real.shape).astype(np.float64)
        if self.node.op.output_names == _SOFTMAX_OUTPUTS:
            real = real / values[self.node.outputs[1]]
        if self._is_score:
            real, exact = (array - array.mean(-1, keepdims=True) for array in (real, exact))
        self._sqnr.add(exact, real)
        op = self.node.op
        if isinstance(op, RequantizingOp):
            self._codes += codes.size
            self._ends += int(((codes <= op.low) | (codes >= op.high)).sum())

    def result(self) -> NodeComparison:
        """Return what was measured."""
        saturated = self._ends / self._codes if self._codes else None
        kind = self.node.op.kind()
        return NodeComparison(self.node.name, kind, str(self.dtype), self.source, self._sqnr.decibels, saturated)


def worst_first(nodes: Sequence[NodeComparison]) -> list[NodeComparison]:
    """Return the nodes with the lowest signal to noise first."""
    measured = [node for node in nodes if node.sqnr_db is not None]
    return sorted(measured, key=lambda node: node.sqnr_db or 0.0)
