"""Image files as pixels of a model's size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.data.images import load_image
from intvit.data.preprocess import Preprocess
from intvit.errors import IntvitError

Array = NDArray[Any]
Progress = Callable[[str, int, int], None]
BATCH = 16


def read_pixels(path: Path, preprocess: Preprocess) -> Array:
    """Return one image file as uint8 [H, W, 3] at the model's size.

    Raises:
        InputFileError: the file is no usable image; names it.
        ResourceLimitError: the image is too large.
    """
    image = load_image(path)
    try:
        return preprocess.apply(image)
    except IntvitError as error:
        error.where = str(path)
        raise


def read_batches(
    paths: Sequence[Path], preprocess: Preprocess, progress: Progress | None = None, stage: str = "images"
) -> Iterator[Array]:
    """Yield image files as uint8 [N, H, W, 3], at most `BATCH` at a time; raises what `read_pixels` raises."""
    for start in range(0, len(paths), BATCH):
        chosen = paths[start : start + BATCH]
        yield np.stack([read_pixels(path, preprocess) for path in chosen])
        if progress:
            progress(stage, start + len(chosen), len(paths))
