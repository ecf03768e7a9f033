"""The approximations that the conversion chose by the unified metric, as a model tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intvit.errors import InputFileError

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
        raise InputFileError(
            "the model's metadata intvit.options hold choices that can't be read",
            expected="what 'intvit quantize' writes",
            hint="convert the model again",
        ) from None


def choice_row(choice: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return the cells of one choice below `HEADER`."""
    candidates = ", ".join(f"{name} {c['omega']} ({c['sqnr_db']} dB)" for name, c in choice["candidates"].items())
    return choice["node"], choice["op"], choice["family"], candidates
