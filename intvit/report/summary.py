"""What is in an integer model: interface, origin, operators and cost."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from typing import Any

from intvit.io import IntegerModel
from intvit.ir import Graph, TensorType, certify, check_graph, to_text
from intvit.kernels.simd import current_level
from intvit.ops import Linear, MatMul
from intvit.runtime.plan import make_plan, prepare_nodes
from intvit.runtime.session import Session


def summarize(model: IntegerModel, file_bytes: int, *, nodes: bool = False) -> dict[str, Any]:
    """Return the summary as JSON-ready values.

    Args:
        model: the model.
        file_bytes: the size of its file.
        nodes: whether to list every node.

    Raises:
        InputFileError: it is not a model of images.
    """
    types = check_graph(model.graph)
    session = Session(model, executor="reference")
    prepared = prepare_nodes(model.graph, types, current_level())
    plan = make_plan(model.graph, types, prepared, keep=False)
    info = model.info
    summary: dict[str, Any] = {
        "inputs": [asdict(tensor) for tensor in session.get_inputs()],
        "outputs": [asdict(tensor) for tensor in session.get_outputs()],
        "output_scales": {name: str(scale) for name, scale in info.output_scales.items()},
        "labels": list(info.labels),
        "preprocess": dict(info.preprocess),
        "source_sha256": info.source_sha256,
        "tool_version": info.tool_version,
        "recipe": info.recipe,
        "options": dict(info.options),
        "certificate": [str(claim) for claim in certify(model.graph).tightest(3)],
        "known_answer": info.known_answer is not None,
        "operators": dict(sorted(Counter(node.op.kind() for node in model.graph.nodes).items())),
        "constants": sum(array.size for array in model.graph.constants.values()),
        "file_bytes": file_bytes,
        "macs": macs(model.graph, types),
        "arena_bytes": plan.arena_bytes,
        "packed_bytes": sum(p.packed_bytes for p in prepared.values()),
    }
    return summary | ({"nodes": to_text(model.graph).splitlines()} if nodes else {})


def macs(graph: Graph, types: dict[str, TensorType]) -> int:
    """Return the multiply-accumulates of one image: of linear layers and of products of activations."""
    return sum(
        math.prod(types[node.outputs[0]].shape) * types[node.inputs[0]].shape[-1]
        for node in graph.nodes
        if isinstance(node.op, Linear | MatMul)
    )
