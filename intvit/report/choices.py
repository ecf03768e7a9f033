"""What the conversion chose, as a model tells it: approximations by the unified metric, bits under a budget, residuals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from intvit.errors import InputFileError
from intvit.ir import Graph
from intvit.ops import AppendResiduals

HEADER = ("node", "operator", "chosen", "metric and signal to noise of the candidates")


def chosen_families(options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the choices of a model, one a node, as JSON-ready values; none if its recipe left nothing to choose.

    Args:
        options: of the model's `ModelInfo`.

    Raises:
        InputFileError: what the model tells is not what a conversion writes.
    """
    choices = options.get("choices", {})
    try:
        return [
            {
                "node": node,
                "op": str(choice["op"]),
                "family": str(choice["family"]),
                "candidates": {
                    family: {name: str(figures[name]) for name in ("omega", "sqnr_db", "perturbation", "operations")}
                    for family, figures in choice["candidates"].items()
                },
            }
            for node, choice in choices.items()
        ]
    except (AttributeError, KeyError, TypeError):
        raise _unreadable() from None


def choice_row(choice: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return the cells of one choice below `HEADER`."""
    candidates = ", ".join(f"{name} {c['omega']} ({c['sqnr_db']} dB)" for name, c in choice["candidates"].items())
    return choice["node"], choice["op"], choice["family"], candidates


def chosen_bits(options: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return the bits that were chosen under a budget, by name, for `activations` and `weights`; nothing if there was none.

    Args:
        options: of the model's `ModelInfo`.

    Raises:
        InputFileError: what the model tells is not what a conversion writes.
    """
    try:
        return {side: {name: int(bits) for name, bits in chosen.items()} for side, chosen in options.get("bits", {}).items()}
    except (AttributeError, TypeError, ValueError):
        raise _unreadable() from None


def bits_lines(chosen: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a line for each kind of place whose bits were chosen: how many got how many."""
    lines = []
    for side, bits in chosen.items():
        counts = sorted(Counter(bits.values()).items(), reverse=True)
        if counts:
            lines.append(f"bits of {side}: " + ", ".join(f"{number} for {count}" for number, count in counts))
    return lines


def residual_channels(graph: Graph) -> dict[str, int]:
    """Return how many channels of each value come with residuals, by the value's name."""
    return {node.inputs[0]: len(node.op.channels) for node in graph.nodes if isinstance(node.op, AppendResiduals)}


def residual_lines(channels: Mapping[str, int]) -> list[str]:
    """Return a line that tells how many channels have residuals, or none."""
    total, values = sum(channels.values()), len(channels)
    return [f"residuals: {total} channels of {values} value{'s' * (values != 1)}"] if channels else []


def _unreadable() -> InputFileError:
    return InputFileError(
        "the model's metadata intvit.options hold choices that can't be read",
        expected="what 'intvit quantize' writes",
        hint="convert the model again",
    )
