"""The SIMD level as a compile-time value: inside kernels it is a type without content, which overloads specialise on."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import NativeValue, models, register_model, typeof_impl, unbox

from intvit.kernels.simd import Level


class LevelType(types.Type):
    """The type of one level; `level` says which."""

    def __init__(self, level: Level) -> None:
        self.level = level
        super().__init__(name=f"Level({level})")


register_model(LevelType)(models.OpaqueModel)


@typeof_impl.register(Level)
def _typeof_level(level: Level, _context: Any) -> LevelType:
    return LevelType(level)


@unbox(LevelType)  # type: ignore[no-untyped-call, untyped-decorator]
def _unbox_level(_type: LevelType, _level: Any, context: Any) -> NativeValue:
    return NativeValue(context.context.get_dummy_value())  # type: ignore[no-untyped-call]
