"""Who wants to know that a kernel is being compiled; light to import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Listener = Callable[[str], None]

_listeners: list[Listener] = []


@contextmanager
def told_of_compiling(listener: Listener) -> Iterator[None]:
    """Call `listener` with the name of each kernel that is about to be compiled inside the `with` block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def tell_of_compiling(name: str) -> None:
    """Tell all listeners that a kernel is about to be compiled."""
    for listener in tuple(_listeners):
        listener(name)
