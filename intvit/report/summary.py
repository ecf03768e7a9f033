"""What is in an integer model: interface, origin, operators and cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from intvit.io import IntegerModel
from intvit.io.four_bits import four_bit_constants
from intvit.ir import certify, check_graph, to_text
from intvit.kernels.simd import current_level
from intvit.report.choices import chosen_bits, chosen_families, residual_channels
from intvit.report.macs import macs
from intvit.runtime.plan import plan_run
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
    plan = plan_run(model.graph, types, current_level())
    info, constants = model.info, model.graph.constants
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
        "choices": chosen_families(info.options),
        "bits": chosen_bits(info.options),
        "residuals": residual_channels(model.graph),
        "certificate": [str(claim) for claim in certify(model.graph).tightest(3)],
        "known_answer": info.known_answer is not None,
        "operators": dict(sorted(Counter(node.op.kind() for node in model.graph.nodes).items())),
        "constants": sum(array.size for array in constants.values()),
        "four_bit_constants": sum(constants[name].size for name in four_bit_constants(model.graph)),
        "file_bytes": file_bytes,
        "macs": macs(model.graph, types),
        "arena_bytes": plan.arena_bytes,
        "packed_bytes": plan.packed_bytes,
    }
    return summary | ({"nodes": to_text(model.graph).splitlines()} if nodes else {})
