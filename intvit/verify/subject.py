"""What is verified: a model together with the very bytes of its file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from intvit.files import read_bytes
from intvit.io import IntegerModel, model_from_bytes, model_to_bytes
from intvit.io.read import MAX_FILE_BYTES


@dataclass(frozen=True)
class Subject:
    """A model and the file that says so.

    Attributes:
        model: what intvit's own executors run.
        data: what everyone else runs: the file's content.
    """

    model: IntegerModel
    data: bytes

    @staticmethod
    def load(path: str | Path) -> Subject:
        """Read a model file; raises what `load_model` raises."""
        return Subject.load_bytes(read_bytes(path, MAX_FILE_BYTES), str(path))

    @staticmethod
    def load_bytes(data: bytes, where: str = "model") -> Subject:
        """Read a model file's content; raises what `load_model` raises."""
        return Subject(model_from_bytes(data, where), data)

    @staticmethod
    def of(model: IntegerModel) -> Subject:
        """Return a model in memory with the bytes that it would be saved as."""
        return Subject(model, model_to_bytes(model))
