"""The result of an import."""

from collections.abc import Mapping
from dataclasses import dataclass

import onnx
import onnx_ir as ir

HELPER = "intvit.helper"
"""Node metadata key of the nodes that only compute the run-time target of an `Expand`; its value is the batch axis."""


@dataclass(frozen=True)
class CanonicalModel:
    """A float Vision Transformer in canonical form.

    Attributes:
        model: the graph, with one float32 input [N, 3, H, W] and one or more float32 outputs. Helper nodes, which only
            compute the target shape of an `Expand`, carry the metadata key `HELPER`.
        shapes: dims of every value, by name. The dim that carries the batch is "N", or "k*N" where the batch is merged
            with k other rows; all others are ints.
        source_sha256: digest of the source file (of the `.onnx` file alone where weights are kept beside it).
        dynamic_batch: whether the graph was checked to work for more than one image. If not, its batch is fixed to 1.
        rules: how often each spelling was recognised.
    """

    model: ir.Model
    shapes: Mapping[str, tuple[int | str, ...]]
    source_sha256: str
    dynamic_batch: bool
    rules: Mapping[str, int]

    def to_proto(self) -> onnx.ModelProto:
        """Return the canonical graph as an ONNX protobuf; the same source gives the same bytes."""
        return ir.serde.serialize_model(self.model)


def at_batch_one(dim: int | str) -> int:
    """Return a dim of `CanonicalModel.shapes` for a batch of one image."""
    if isinstance(dim, int):
        return dim
    return 1 if dim == "N" else int(dim.split("*")[0])


def is_helper(node: ir.Node) -> bool:
    """Tell whether a node only computes the run-time target of an `Expand`."""
    return HELPER in node.metadata_props
