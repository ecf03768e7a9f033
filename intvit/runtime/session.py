"""The session: an integer model that is ready to run on pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from intvit.data.preprocess import Preprocess
from intvit.errors import InputFileError, UsageError
from intvit.io import IntegerModel, ModelInfo, load_model, model_from_bytes
from intvit.ir import TensorType, check_graph
from intvit.numerics import U8
from intvit.runtime.constants import Constants

Array = NDArray[Any]
ExecutorName = Literal["numba", "reference"]


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """Name, shape and type of an input or output, as ONNX Runtime's sessions tell them.

    Attributes:
        name: the tensor's name.
        shape: its dimensions; the batch is "N".
        type: the element type, such as `tensor(uint8)`.
    """

    name: str
    shape: list[int | str]
    type: str


class Session:
    """Runs an integer model. It may be used from several threads at once.

    Args:
        model: a file written by `intvit quantize`, its bytes, or a model in memory.
        threads: how many images of a batch are computed at the same time.
        executor: `numba` is fast; `reference` is the definition in NumPy. Both give the same bits.

    Raises:
        InputFileError: the file is missing, damaged, or not an integer model of images.
        CheckFailed: an intermediate of the model could overflow.
        UsageError: `threads` or `executor` makes no sense.
    """

    def __init__(self, model: str | Path | bytes | IntegerModel, *, threads: int = 1, executor: ExecutorName = "numba") -> None:
        self._model = _loaded(model)
        self._types = check_graph(self._model.graph)
        self._input = _image_input(self._model)
        self._run = _runner(self._model, self._types, threads, executor)

    def run(self, pixels: Array) -> Array:
        """Compute the only output, usually the logits.

        Args:
            pixels: uint8 [N, H, W, 3] RGB images at the model's size, or one of them, [H, W, 3].

        Returns:
            int32 [N, classes]; larger is likelier.

        Raises:
            UsageError: the pixels have the wrong type or shape, or the model has several outputs.
        """
        if len(self.outputs) != 1:
            raise UsageError(
                "the model has several outputs",
                where="Session.run",
                expected="one output",
                found=", ".join(self.outputs),
                hint="use run_all, which returns all of them by name",
            )
        return self.run_all(pixels)[self.outputs[0]]

    def run_all(self, pixels: Array) -> dict[str, Array]:
        """Compute all outputs, by name; takes and raises what `run` does."""
        return self._run({self._input: batch_of(pixels, self._types[self._input])})

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the outputs, in order."""
        return self._model.graph.outputs

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images that the model takes."""
        return self._types[self._input].shape[1], self._types[self._input].shape[2]

    @property
    def model(self) -> IntegerModel:
        """The model that is run."""
        return self._model

    @property
    def info(self) -> ModelInfo:
        """Where the model comes from, and what else its file tells."""
        return self._model.info

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, empty if the file holds none."""
        return self.info.labels

    @property
    def output_scales(self) -> Mapping[str, Fraction]:
        """The exact real value of one step of each output."""
        return self.info.output_scales

    @cached_property
    def preprocess(self) -> Preprocess:
        """How an image becomes this model's pixels.

        Raises:
            InputFileError: the file doesn't tell, or tells nonsense.
        """
        height, width = self.image_size
        preprocess = Preprocess.from_dict(self.info.preprocess, where="the model's preprocessing")
        if (preprocess.height, preprocess.width) != (height, width):
            raise InputFileError(
                "the model's preprocessing gives images of another size",
                expected=f"{width} x {height}",
                found=f"{preprocess.width} x {preprocess.height}",
                hint="convert the float model again",
            )
        return preprocess

    def get_inputs(self) -> list[TensorInfo]:
        """Return what the model takes."""
        return [_describe(name, kind) for name, kind in self._model.graph.inputs.items()]

    def get_outputs(self) -> list[TensorInfo]:
        """Return what the model gives."""
        return [_describe(name, self._types[name]) for name in self.outputs]


def batch_of(pixels: Array, kind: TensorType) -> Array:
    """Return pixels as a batch [N, H, W, 3].

    Args:
        pixels: one image or a batch of them.
        kind: the type of the model's input.

    Raises:
        UsageError: they have the wrong element type or shape, or there are none.
    """
    _, height, width, channels = kind.shape
    expected = f"uint8 [N, {height}, {width}, {channels}] with N at least 1, or [{height}, {width}, {channels}]"
    hint = "apply the model's preprocessing first: session.preprocess.apply(image)"
    if not isinstance(pixels, np.ndarray):
        raise UsageError("the pixels are not a NumPy array", expected=expected, found=type(pixels).__name__, hint=hint)
    batch = pixels[np.newaxis] if pixels.ndim == 3 else pixels
    if batch.dtype != np.uint8 or batch.shape[1:] != kind.shape[1:] or not batch.size:
        found = f"{pixels.dtype} {list(pixels.shape)}"
        raise UsageError("the pixels have the wrong form", expected=expected, found=found, hint=hint)
    return batch


def _loaded(model: str | Path | bytes | IntegerModel) -> IntegerModel:
    if isinstance(model, IntegerModel):
        return model
    loaded = model_from_bytes(model) if isinstance(model, bytes) else load_model(model)
    return replace(loaded, graph=replace(loaded.graph, constants=Constants(loaded.graph.constants)))


def _image_input(model: IntegerModel) -> str:
    inputs = model.graph.inputs
    kind = next(iter(inputs.values()), None)
    if len(inputs) != 1 or kind is None or kind.dtype != U8 or kind.batch_axis != 0 or kind.shape[3:] != (3,):
        raise InputFileError(
            "not a model of images",
            expected="one input u8[N,H,W,3]",
            found=", ".join(f"{name} {kind}" for name, kind in inputs.items()) or "no input",
            hint="convert a float model with 'intvit quantize'",
        )
    return next(iter(inputs))


def _runner(
    model: IntegerModel, types: Mapping[str, TensorType], threads: int, executor: str
) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    if threads < 1:
        raise UsageError("the number of threads must be positive", expected="1 or more", found=str(threads))
    if executor == "numba":
        from intvit.runtime.engine import Engine

        return Engine(model.graph, types, threads=threads).run
    if executor == "reference":
        from intvit.runtime.reference import run_reference

        return lambda inputs: run_reference(model.graph, inputs)
    raise UsageError("no such executor", expected="numba or reference", found=repr(executor))


def _describe(name: str, kind: TensorType) -> TensorInfo:
    shape: list[int | str] = list(kind.shape)
    if kind.batch_axis is not None:
        length = kind.shape[kind.batch_axis]
        shape[kind.batch_axis] = "N" if length == 1 else f"{length}*N"
    return TensorInfo(name, shape, f"tensor({kind.dtype.dtype.name})")
