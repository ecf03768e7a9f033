"""Object code: kept on disk between runs, and linked into this process."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any

from llvmlite import binding

from intvit.files import write_atomically
from intvit.kernels.cache import cache_folder

_DIGEST_BYTES = 32
_END = b"\0"


def read_cached(symbol: str) -> tuple[tuple[str, ...], bytes] | None:
    """Return the functions that cached object code needs, and the code; None if it isn't there or is damaged."""
    folder = cache_folder()
    if folder is None or not (file := _file(folder, symbol)).is_file():
        return None
    content = file.read_bytes()
    digest, content = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        return None
    needs, _, code = content.partition(_END)
    return tuple(needs.decode().split()), code


def keep(symbol: str, needs: tuple[str, ...], code: bytes) -> None:
    """Keep object code and the names of the functions that it needs, if there is a cache."""
    if folder := cache_folder():
        content = " ".join(needs).encode() + _END + code
        write_atomically(_file(folder, symbol), hashlib.sha256(content).digest() + content)


def _file(folder: Path, symbol: str) -> Path:
    return folder / f"{symbol}.o"


@functools.cache
def _linker() -> Any:
    """Return LLVM's linker for object code, one for the process."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    machine = binding.Target.from_default_triple().create_target_machine()
    return binding.create_mcjit_compiler(binding.parse_assembly(""), machine)


def link(symbol: str, code: bytes) -> int:
    """Return the address of a symbol after its object code has been linked into this process."""
    _linker().add_object_file(binding.ObjectFileRef.from_data(code))
    _linker().finalize_object()
    address: int = _linker().get_function_address(symbol)
    return address
