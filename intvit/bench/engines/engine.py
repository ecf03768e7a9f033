"""What the benchmark asks of an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

Array = NDArray[Any]
Run = Callable[[Array], object]


@dataclass(frozen=True)
class Source:
    """The model that is measured, in both forms.

    Attributes:
        integer: the integer model's file.
        float_model: the float model's file, which every peer starts from; not needed without peers.
        float_sha256: digest of the float model with its weights.
        calibration: float32 [N, 3, H, W] preprocessed images for the peers that quantize.
    """

    integer: Path
    float_model: Path | None
    float_sha256: str
    calibration: Array

    @property
    def required_float_model(self) -> Path:
        """The float model's file; there must be one."""
        if self.float_model is None:
            raise ValueError("peers need the float model")
        return self.float_model


class BenchEngine(ABC):
    """One engine in one precision.

    Attributes:
        name: what the command line and the JSON call it; the part before the first hyphen is its family.
        title: what people call it.
        packages: the distributions that it needs, the one whose version counts first.
        modules: what is imported before memory is counted.
        takes_pixels: whether a run takes uint8 [N, H, W, 3] pixels instead of preprocessed float32 [N, 3, H, W].
    """

    name: ClassVar[str]
    title: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    modules: ClassVar[tuple[str, ...]]
    takes_pixels: ClassVar[bool] = False

    def missing(self) -> list[str]:
        """Return the packages that are not installed; each has the name of its module."""
        return [name for name in self.packages if find_spec(name) is None]

    def version(self) -> str:
        """Return the versions of its packages."""
        return ", ".join(f"{name} {version(name)}" for name in self.packages)

    def load(self) -> None:
        """Import what the engine needs."""
        for name in self.modules:
            import_module(name)

    @abstractmethod
    def prepare(self, source: Source, folder: Path) -> Path:
        """Return the file to run, made in `folder` if need be."""

    @abstractmethod
    def open(self, model: Path, threads: int, batch: int) -> Run:
        """Return the function that runs a batch.

        Args:
            model: the file that `prepare` returned.
            threads: how many threads may compute.
            batch: the images of every run.
        """
