"""Where the time of one image goes: by node and by kind of operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intvit.bench.inputs import Array
from intvit.io import IntegerModel
from intvit.ir import Graph, TensorType, check_graph, infer_types
from intvit.report.macs import node_macs
from intvit.runtime.engine import Engine
from intvit.runtime.fuse import group_nodes
from intvit.runtime.planned import COPY
from intvit.runtime.rows import split_rows

REPEATS = 30


@dataclass(frozen=True)
class NodeTime:
    """One step of the engine: a node, or several that are fused.

    Attributes:
        node: the first node's name.
        kind: the kinds of operators.
        seconds: its median time.
        macs: its multiply-accumulates; 0 for what is no product.
    """

    node: str
    kind: str
    seconds: float
    macs: int


@dataclass(frozen=True)
class KindTime:
    """All steps of one kind of operator.

    Attributes:
        kind: the kind.
        nodes: how many steps there are.
        seconds: what they take together.
        share: which part of all steps' time that is.
        macs: their multiply-accumulates.
    """

    kind: str
    nodes: int
    seconds: float
    share: float
    macs: int


def profile_model(model: IntegerModel, pixels: Array, repeats: int = REPEATS) -> list[NodeTime]:
    """Time every step of one image on one thread.

    Args:
        model: the integer model.
        pixels: uint8 [1, H, W, 3].
        repeats: how often to run; each step's median counts.
    """
    types = check_graph(model.graph)
    macs = step_macs(model.graph, types)
    stages = Engine(model.graph, types).profile(dict.fromkeys(model.graph.inputs, pixels), repeats)
    counts = [0 if stage.kind == COPY else sum(macs[node] for node in stage.nodes) for stage in stages]
    return [NodeTime(t.nodes[0], t.kind, t.nanoseconds / 1e9, count) for t, count in zip(stages, counts, strict=True)]


def step_macs(graph: Graph, types: dict[str, TensorType]) -> dict[str, int]:
    """Return the multiply-accumulates of every group of nodes that the engine runs as one, by the group's name."""
    split = split_rows(graph, types)
    split_types = infer_types(split)
    return {group.name: sum(node_macs(node, split_types) for node in group.nodes) for group in group_nodes(split, split_types)}


def by_kind(nodes: Sequence[NodeTime]) -> list[KindTime]:
    """Add up the times of each kind of operator, the longest first."""
    total = sum(node.seconds for node in nodes)
    groups: dict[str, list[NodeTime]] = {}
    for node in nodes:
        groups.setdefault(node.kind, []).append(node)
    kinds = [
        KindTime(kind, len(group), seconds, seconds / total if total else 0.0, sum(node.macs for node in group))
        for kind, group in groups.items()
        for seconds in [sum(node.seconds for node in group)]
    ]
    return sorted(kinds, key=lambda kind: -kind.seconds)
