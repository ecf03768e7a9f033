"""The constants of a graph, each held once: what is packed for a kernel is unpacked when somebody wants to see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


class Constants(Mapping[str, Array]):
    """Constants by name, of which some are not arrays but functions that make an equal array each time it is asked for.

    Args:
        constants: name to array; the arrays are not copied.
    """

    def __init__(self, constants: Mapping[str, Array]) -> None:
        self._held: dict[str, Array | Callable[[], Array]] = dict(constants)

    def replace(self, name: str, unpack: Callable[[], Array]) -> None:
        """Let go of a constant's array, since `unpack` makes an equal one."""
        self._held[name] = unpack

    def __getitem__(self, name: str) -> Array:
        held = self._held[name]
        return held() if callable(held) else held

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)
