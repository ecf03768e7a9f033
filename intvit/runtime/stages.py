"""Which steps run side by side: a linear layer of a few rows, beside one of many.

A layer of a few rows takes as long as its weights take to come from memory. Beside a layer that multiplies for long, they come
meanwhile: each part of that layer fetches the weights of one part of the other, which then runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from intvit.kernels.vector_tile import ROWS
from intvit.runtime.arena import Buffer
from intvit.runtime.planned import PlannedStage, PlannedStep, View

FETCHED = 192 << 10
"""Bytes of weights that a part fetches: they stay in the second cache until the part beside it needs them."""


def stages_of(steps: Sequence[PlannedStep], buffers: Sequence[Buffer]) -> list[PlannedStage]:
    """Return steps in stages, and let all buffers of a stage of two live as long as both.

    Args:
        steps: in executable order.
        buffers: of the arena; step i is the i-th of `steps`.
    """
    stages: list[PlannedStage] = []
    i = 0
    while i < len(steps):
        stage = _pair(*steps[i : i + 2]) if i + 1 < len(steps) else None
        if stage:
            for buffer in (buffers[view.buffer] for step in stage.steps for view in _views(step)):
                buffer.first, buffer.last = min(buffer.first, i), max(buffer.last, i + 1)
        stages.append(stage or PlannedStage((steps[i],)))
        i += len(stages[-1].steps)
    return stages


def _pair(one: PlannedStep, other: PlannedStep) -> PlannedStage | None:
    """Return a layer of few rows and one of many as one stage, unless one of them needs the other."""
    few, many = sorted((one, other), key=_rows)
    if few.weights is None or many.weights is None or not _rows(few) <= ROWS < _rows(many) or _depend(one, other):
        return None
    if not np.may_share_memory(few.weights, many.weights):
        many = replace(many, inputs=(*many.inputs, few.weights))
    return PlannedStage((many, few), parts=-(-few.weights.nbytes // FETCHED))


def _rows(step: PlannedStep) -> int:
    return math.prod(step.outputs[0].shape[:-1])


def _views(step: PlannedStep) -> list[View]:
    return [source for source in (*step.inputs, *step.outputs, *step.scratch) if isinstance(source, View)]


def _depend(one: PlannedStep, other: PlannedStep) -> bool:
    """Whether a step reads from a buffer that the other writes to."""
    reads = [{source.buffer for source in step.inputs if isinstance(source, View)} for step in (one, other)]
    writes = [{view.buffer for view in step.outputs} for step in (one, other)]
    return bool(reads[0] & writes[1] or reads[1] & writes[0])
