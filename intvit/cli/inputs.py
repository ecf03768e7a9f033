"""What several commands read: models, folders of images, numbers."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intvit.cli.console import Console
from intvit.errors import UnsupportedModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intvit.data.preprocess import Preprocess
    from intvit.importer import CanonicalModel
    from intvit.io import IntegerModel
    from intvit.runtime.session import Session


def positive(text: str) -> int:
    """Read a whole number from 1 on, as `argparse` wants it."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 1 << 31):
        message = f"{text!r} is not a whole number from 1 on"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def open_session(model: str | IntegerModel, console: Console, threads: int = 1) -> Session:
    """Return a session on an integer model; raises what `Session` raises."""
    from intvit.io import load_model
    from intvit.runtime.session import Session

    loaded = load_model(model) if isinstance(model, str) else model
    return Session(loaded, threads=threads)


def import_float(path: str) -> CanonicalModel:
    """Import a float model.

    Raises:
        UsageError: the extra `quantize` is not installed.
        UnsupportedModelError: the model is an integer model already, or no image model.
        InputFileError: the file is not valid ONNX.
    """
    from intvit.extras import require_extra

    require_extra("quantize")
    refuse_integer_model(path)
    from intvit.importer import import_onnx

    return import_onnx(path)


def image_size(canonical: CanonicalModel) -> tuple[int, int]:
    """Return height and width of the images that a float model takes."""
    _, _, height, width = canonical.shapes[str(canonical.model.graph.inputs[0].name)]
    return int(height), int(width)


def folder_pixels(folder: str, limit: int, preprocess: Preprocess) -> list[NDArray[Any]]:
    """Return `limit` images, spread evenly over the sorted names of a folder, as pixels [H, W, 3].

    Raises:
        InputFileError: the folder is missing or holds no image, or an image can't be used.
    """
    from intvit.data.images import list_images, sample_evenly
    from intvit.report.pixels import read_pixels

    return [read_pixels(path, preprocess) for path in sample_evenly(list_images(folder), limit)]


def refuse_integer_model(path: str) -> None:
    """Make sure that a file that is to be a float model isn't one of ours.

    Raises:
        UnsupportedModelError: it is.
    """
    import onnx
    from google.protobuf.message import DecodeError

    from intvit.files import read_bytes
    from intvit.io.read import MAX_FILE_BYTES

    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(read_bytes(Path(path), MAX_FILE_BYTES))
    except DecodeError:
        return
    if any(entry.key == "intvit.format_version" for entry in proto.metadata_props):
        raise UnsupportedModelError(
            "this is an integer model already",
            where=path,
            expected="a float model",
            found="a model written by intvit",
            hint="give the float model that it was made from; an integer model is for run, eval, verify and inspect",
        )
