"""The optional dependencies: what each extra of the package brings, and whether it is there."""

from __future__ import annotations

from importlib.util import find_spec

from intvit.errors import UsageError

EXTRAS: dict[str, tuple[str, ...]] = {
    "quantize": ("onnxruntime", "onnxscript", "onnx_ir"),
    "bench": ("openvino", "nncf", "matplotlib"),
}
"""The modules of each extra."""


def missing_modules(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed."""
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def require_extra(extra: str) -> None:
    """Make sure that an extra is installed.

    Raises:
        UsageError: it is not; names the command that installs it.
    """
    if missing := missing_modules(extra):
        raise missing_extra(extra, missing)


def missing_extra(extra: str, modules: list[str]) -> UsageError:
    """Return the error for modules that an extra would bring."""
    return UsageError(
        "this needs packages that are not installed",
        expected=", ".join(EXTRAS[extra]),
        found=f"no {', no '.join(modules)}",
        hint=f"pip install 'intvit[{extra}]'",
    )
