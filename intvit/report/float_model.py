"""The float model beside its integer twin, for comparing the two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.data.preprocess import Preprocess
from intvit.errors import UsageError
from intvit.importer import CanonicalModel
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.runtime.session import Session

Array = NDArray[Any]


class FloatModel:
    """A float model that runs on the same uint8 pixels as its integer twin.

    Args:
        canonical: the imported float model.
        preprocess: gives its mean and std.
        extra: values that are returned besides the outputs.
    """

    def __init__(self, canonical: CanonicalModel, preprocess: Preprocess, extra: Sequence[str] = ()) -> None:
        self._session = float_session(canonical, extra)
        self._input = self._session.get_inputs()[0].name
        self._normalize = normalizer(preprocess)
        self._step = None if canonical.dynamic_batch else 1

    def run(self, names: Sequence[str], pixels: Array) -> list[Array]:
        """Return values by name for uint8 [N, H, W, 3] pixels."""
        step = self._step or len(pixels)
        parts = [
            self._session.run(list(names), {self._input: self._normalize(pixels[i : i + step])})
            for i in range(0, len(pixels), step)
        ]
        return [np.concatenate(arrays) if len(arrays) > 1 else arrays[0] for arrays in zip(*parts, strict=True)]


def require_same_form(canonical: CanonicalModel, session: Session) -> None:
    """Make sure that a float model takes images of the integer model's size.

    Raises:
        UsageError: it does not.
    """
    dims = canonical.shapes[str(canonical.model.graph.inputs[0].name)]
    if tuple(dims[2:]) != session.image_size:
        raise UsageError(
            "the float model takes images of another size than the integer model",
            expected=f"{session.image_size[1]} x {session.image_size[0]}",
            found=f"{dims[3]} x {dims[2]}",
            hint="give the float model that the integer model was made from",
        )
