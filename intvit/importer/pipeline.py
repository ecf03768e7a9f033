"""The import from file to canonical graph."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx_ir as ir
import onnx_ir.passes.common as passes

from intvit.errors import IntvitError, UnsupportedModelError
from intvit.importer.batch import Batch, follow_batch
from intvit.importer.layout import free_batch
from intvit.importer.model import CanonicalModel, at_batch_one
from intvit.importer.prepare import prepare
from intvit.importer.read import Source, read_onnx
from intvit.importer.rewrite import Editor, dims_of, values
from intvit.importer.rules import ALL_RULES
from intvit.importer.rules.read_rows import split_read_rows
from intvit.importer.rules.unused_rows import hoist_row_slices
from intvit.importer.signature import check_signature
from intvit.importer.verify import SourceRun

_REPORT = "this is a bug in intvit's importer: please report it with the model"


def import_onnx(path: Path | str | bytes) -> CanonicalModel:
    """Import a float ONNX Vision Transformer.

    Args:
        path: an ONNX file, or the bytes of one, with one float image input [N, 3, H, W].

    Returns:
        The canonical graph, checked in ONNX Runtime to compute what the source does, for one image and for two.

    Raises:
        InputFileError: the file is missing or is not valid ONNX.
        UnsupportedModelError: it is not a float image model of fixed image size.
        ResourceLimitError: it is larger than 2 GiB.
    """
    source = read_onnx(path)
    check_signature(source)
    try:
        return _canonicalize(source)
    except IntvitError:
        raise
    except Exception as error:
        raise UnsupportedModelError(
            "the importer failed", where=source.where, found=f"{type(error).__name__}: {error}", hint=_REPORT
        ) from error


def _canonicalize(source: Source) -> CanonicalModel:
    run = SourceRun(source)
    model = prepare(source)
    _check_shapes(model.graph, source)
    editor = Editor(model)
    editor.run(ALL_RULES)
    batches, complete = follow_batch(model.graph)
    free_batch(editor, batches)
    hoist_row_slices(editor)
    _finish(model)
    split_read_rows(editor, "Gelu")
    _finish(model)
    batches, followed = follow_batch(model.graph)
    shapes = _label_batch(model.graph, batches)
    dynamic = _verify(model, source, run, may_be_dynamic=complete and followed)
    return CanonicalModel(model, shapes, source.sha256, dynamic, dict(sorted(editor.counts.items())))


def with_rows_apart(model: CanonicalModel) -> CanonicalModel:
    """Return a model that computes the same, in which the rows that the output reads go apart from each LayerNorm on.

    They meet the others again where these read them (in the attention) and in the residual stream.
    """
    changed = ir.serde.deserialize_model(model.to_proto())
    for value in values(changed.graph):
        if (dims := model.shapes.get(value.name or "")) is not None:
            value.shape = ir.Shape([at_batch_one(dim) for dim in dims])
    editor = Editor(changed)
    split_read_rows(editor, "LayerNormalization")
    _finish(changed)
    batches, _ = follow_batch(changed.graph)
    shapes = _label_batch(changed.graph, batches)
    if not model.dynamic_batch:
        changed.graph.inputs[0].shape = ir.Shape([1, *(changed.graph.inputs[0].shape or ())[1:]])
    return replace(model, model=changed, shapes=shapes)


def _finish(model: ir.Model) -> None:
    passes.DeduplicateInitializersPass(size_limit=64)(model)
    passes.CommonSubexpressionEliminationPass()(model)
    passes.RemoveUnusedNodesPass()(model)
    passes.RemoveUnusedOpsetsPass()(model)
    passes.TopologicalSortPass()(model)
    passes.NameFixPass()(model)
    for value in model.graph.initializers.values():
        if value.const_value is not None:
            value.const_value = ir.tensor(value.const_value.numpy(), name=value.name)
    model.producer_name, model.producer_version = "intvit", None
    model.graph.doc_string = model.doc_string = None


def _check_shapes(graph: ir.Graph, source: Source) -> None:
    for value in values(graph):
        if dims_of(value) is None and (value.uses() or value.is_graph_output()):
            producer = value.producer()
            node = "" if producer is None else f", {producer.op_type} node {producer.name!r}"
            raise UnsupportedModelError(
                f"the shape of {value.name!r} can't be inferred", where=f"{source.where}{node}",
                expected="shapes that follow from the image size", hint="export with a fixed image size",
            )  # fmt: skip


def _label_batch(graph: ir.Graph, batches: Mapping[ir.Value, Batch]) -> dict[str, tuple[int | str, ...]]:
    """Write the batch into the shapes of the graph, and return all shapes by name."""
    shapes: dict[str, tuple[int | str, ...]] = {}
    for value in values(graph):
        dims: list[int | str] = list(dims_of(value) or ())
        if value in batches:
            dims[batches[value].axis] = batches[value].label
            value.shape = ir.Shape(dims)
        shapes[value.name or ""] = tuple(dims)
    return shapes


def _verify(model: ir.Model, source: Source, run: SourceRun, *, may_be_dynamic: bool) -> bool:
    """Compare with the source; where two images at once fail, fix the batch to 1."""
    batch = run.largest_batch(ir.serde.serialize_model(model).SerializeToString())
    if batch == 0:
        message = "the canonical graph does not compute what the model does"
        raise UnsupportedModelError(message, where=source.where, hint=_REPORT)
    if may_be_dynamic and batch == 2:
        return True
    image = model.graph.inputs[0]
    image.shape = ir.Shape([1, *(image.shape or ())[1:]])
    return False
