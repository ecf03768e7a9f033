"""Memory: where every buffer lies in the one block that a run uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from intvit.kernels.aligned import ALIGNMENT, MARGIN


@dataclass(slots=True)
class Buffer:
    """A piece of memory that is needed from step `first` to step `last`, both included."""

    size: int
    first: int
    last: int

    def lives_with(self, other: Buffer) -> bool:
        """Whether there is a step at which both are needed."""
        return self.first <= other.last and other.first <= self.last


def place(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """Choose an offset for every buffer so that those needed at the same step don't overlap.

    The largest buffer comes first; each goes into the lowest gap that is wide enough.

    Returns:
        The offsets, multiples of 64 that leave a margin behind every buffer, and the total size.
    """
    offsets = [0] * len(buffers)
    placed: list[int] = []
    for i in sorted(range(len(buffers)), key=lambda i: (-buffers[i].size, i)):
        taken = sorted((offsets[j], _room(buffers[j])) for j in placed if buffers[j].lives_with(buffers[i]))
        offset = 0
        for start, room in taken:
            if offset + _room(buffers[i]) <= start:
                break
            offset = max(offset, start + room)
        offsets[i] = offset
        placed.append(i)
    return offsets, max((offsets[i] + _room(buffers[i]) for i in placed), default=0)


def _room(buffer: Buffer) -> int:
    return -(-(buffer.size + MARGIN) // ALIGNMENT) * ALIGNMENT
