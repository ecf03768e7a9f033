"""Bit-exact, integer-only inference for Vision Transformers.

Nothing heavy is loaded until it is used: `import intvit` alone loads neither NumPy nor Numba nor ONNX.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["IntvitError", "Session", "__version__", "load", "quantize"]

if TYPE_CHECKING:
    from intvit.errors import IntvitError as IntvitError
    from intvit.io import load_model as load
    from intvit.quantize import quantize as quantize
    from intvit.runtime.session import Session as Session

_LAZY = {
    "IntvitError": ("intvit.errors", "IntvitError"),
    "Session": ("intvit.runtime.session", "Session"),
    "load": ("intvit.io", "load_model"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        message = f"module 'intvit' has no attribute {name!r}"
        raise AttributeError(message)
    module, attribute = _LAZY[name]
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """This module's type: `intvit.quantize` is the function, although the subpackage that holds it has the same name."""

    @property
    def quantize(self) -> Callable[..., Any]:
        from intvit.extras import require_extra

        require_extra("quantize")
        function: Callable[..., Any] = import_module("intvit.quantize.api").quantize
        return function

    @quantize.setter
    def quantize(self, subpackage: ModuleType) -> None:
        """Ignore the import system, which wants to put the subpackage here; `import` statements find it all the same."""


sys.modules[__name__].__class__ = _Package
