"""Bring a source model to one opset, with batch 1, constant shapes and no bookkeeping nodes."""

import logging
import math

import onnx_ir as ir
import onnx_ir.passes.common as passes
from onnxscript import optimizer, version_converter

from intvit.errors import UnsupportedModelError
from intvit.importer.precision import to_float32
from intvit.importer.read import Source
from intvit.importer.signature import image_input

OPSET = 21
_FOLD_LIMIT = 2**28
_SCOPES = "pkg.torch.onnx.name_scopes"


def prepare(source: Source) -> ir.Model:
    """Load a checked source into an `onnx_ir` model whose shapes are all known.

    Args:
        source: the model; its protobuf is changed.

    Returns:
        A model at opset 21 (or newer, where the source is) with batch 1, functions inlined, float32 weights as
        initializers, and everything that depends on shapes alone folded.

    Raises:
        UnsupportedModelError: it can't be converted, or a shape can't be inferred.
    """
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    _set_batch_one(source)
    model = ir.serde.deserialize_model(source.proto)
    _name_by_scope(model)
    passes.ClearMetadataAndDocStringPass()(model)
    passes.InlinePass()(model)
    passes.RemoveInitializersFromInputsPass()(model)
    _convert_opset(model, source.where)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    to_float32(model)
    _fold(model, source.where)
    passes.NameFixPass()(model)
    return model


def _set_batch_one(source: Source) -> None:
    proto = source.proto
    batch = image_input(proto.graph, source.where).type.tensor_type.shape.dim[0]
    symbol, batch.dim_value = batch.dim_param, 1
    if all(node.domain in ("", "ai.onnx") for node in proto.graph.node):
        del proto.graph.value_info[:]
        for value in proto.graph.output:
            value.type.tensor_type.ClearField("shape")
    for value in (*proto.graph.value_info, *proto.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if symbol and dim.dim_param == symbol:
                dim.dim_value = 1


def _name_by_scope(model: ir.Model) -> None:
    """Put the module path, which torch's dynamo exporter keeps in the metadata, before the node names."""
    for node in model.graph:
        scopes = node.metadata_props.get(_SCOPES, "")
        paths = [s.strip(" '\"") for s in scopes.strip("[]").split(",")][:-1]
        if paths and paths[-1]:
            node.name = f"{paths[-1]}/{(node.name or node.op_type).removeprefix('node_')}"


def _convert_opset(model: ir.Model, where: str) -> None:
    before = model.opset_imports.get("", 1)
    if before >= OPSET:
        return
    try:
        version_converter.convert_version(model, OPSET, fallback=True)
    except Exception as error:
        raise _not_convertible(where, before, str(error)) from error
    if model.opset_imports[""] != OPSET:
        raise _not_convertible(where, before, "the ONNX version converter refused it")


def _not_convertible(where: str, before: int, reason: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        f"can't be converted from opset {before} to {OPSET}", where=where, found=reason.splitlines()[0],
        hint="export with opset_version=17 or newer",
    )  # fmt: skip


def _fold(model: ir.Model, where: str) -> None:
    try:
        for _ in range(4):
            folded = optimizer.fold_constants(model, onnx_shape_inference=True, should_fold=_should_fold).modified
            if not _drop_expand(model.graph) and not folded:
                break
        passes.ShapeInferencePass(strict_mode=False)(model)
    except RuntimeError as error:
        found = str(error.__cause__ or error).splitlines()[0]
        raise UnsupportedModelError("constants can't be folded", where=where, found=found) from error
    optimizer.remove_unused_nodes(model)
    passes.CommonSubexpressionEliminationPass()(model)


def _should_fold(node: ir.Node) -> bool:
    if node.op_type not in ("ConstantOfShape", "Expand", "Tile"):
        return True
    target = node.inputs[-1]
    dims = None if target is None else ir.convenience.get_const_tensor(target)
    if dims is None or math.prod(abs(int(d)) for d in dims.numpy().ravel()) > _FOLD_LIMIT:
        return False
    return node.op_type != "Expand" or not _repeats_once(node)


def _drop_expand(graph: ir.Graph) -> bool:
    """Remove each `Expand` that repeats a constant once (the batch is 1 here), so that the constant keeps its name."""
    found = [node for node in graph if node.op_type == "Expand" and _repeats_once(node)]
    for node in found:
        ir.convenience.replace_all_uses_with(node.outputs, [v for v in node.inputs[:1] if v is not None])
        graph.remove(node, safe=True)
    return bool(found)


def _repeats_once(node: ir.Node) -> bool:
    source, target = (None if v is None else ir.convenience.get_const_tensor(v) for v in node.inputs)
    if source is None or target is None or node.outputs[0].is_graph_output():
        return False
    dims = list(target.numpy())
    kept = list(source.shape)
    return len(dims) == len(kept) and all(d in (1, size) for d, size in zip(dims, kept, strict=True))
