"""What an error at one value does to the outputs of the float model: the graph is cut there and run on with the error in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.quantize.calibrate import float_session
from intvit.quantize.float_parts import crossing_after, rest_after

Array = NDArray[Any]


class Injection:
    """The float model with all that is needed to run it on from some of its values, for one image at a time.

    Args:
        model: the canonical float model.
        values: where errors will be injected.
        watched: further values that changes are made from.
        images: the model's input, float32 [N, 3, H, W].
    """

    def __init__(self, model: CanonicalModel, values: Sequence[str], watched: Sequence[str], images: Array) -> None:
        self._outputs = [str(value.name) for value in model.model.graph.outputs]
        self._proto = proto = model.to_proto()
        kept = {name for value in values for name in (value, *crossing_after(proto, value))}
        names = sorted({*self._outputs, *watched, *kept})
        session = float_session(model, names)
        feed = session.get_inputs()[0].name
        self._seen: list[dict[str, Array]] = [
            dict(zip(names, session.run(names, {feed: image[None]}), strict=True)) for image in images
        ]

    def errors(self, value: str, changes: Sequence[Callable[[dict[str, Array]], Array]]) -> list[float]:
        """Return the squared error of all outputs for each change, which makes of an image's values another `value`."""
        rest, crossing = rest_after(self._proto, value)
        errors = [0.0] * len(changes)
        for seen in self._seen:
            feed = {name: seen[name] for name in crossing}
            for i, change in enumerate(changes):
                outputs = rest.run(self._outputs, feed | {value: change(seen).astype(np.float32)})
                errors[i] += sum(float(((y - seen[o]) ** 2).sum()) for o, y in zip(self._outputs, outputs, strict=True))
        return errors
