"""Ways to run an integer model, all behind one face: our own two, and two that know nothing of intvit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from intvit.errors import CheckFailed, UsageError
from intvit.extras import EXTRAS, missing_extra, missing_modules
from intvit.verify.subject import Subject

Array = NDArray[Any]
NOT_YET = {"c": "the C export does not exist yet"}


@dataclass(frozen=True)
class Executor:
    """A way to run a model.

    Attributes:
        name: what `--with` takes.
        run: from a model and uint8 [N, H, W, 3] pixels to the outputs by name.
        extra: the extra of the package that it needs, or None.
    """

    name: str
    run: Callable[[Subject, Array], dict[str, Array]]
    extra: str | None = None

    @property
    def missing(self) -> list[str]:
        """The modules that it needs and that are not installed."""
        return [m for m in missing_modules(self.extra) if m == self.name] if self.extra else []


def _inputs(subject: Subject, pixels: Array) -> dict[str, Array]:
    return {next(iter(subject.model.graph.inputs)): pixels}


def _reference(subject: Subject, pixels: Array) -> dict[str, Array]:
    from intvit.runtime.reference import run_reference

    return run_reference(subject.model.graph, _inputs(subject, pixels))


def _numba(subject: Subject, pixels: Array) -> dict[str, Array]:
    from intvit.runtime.engine import Engine

    return Engine(subject.model.graph).run(_inputs(subject, pixels))


def _onnxruntime(subject: Subject, pixels: Array) -> dict[str, Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    names = list(subject.model.graph.outputs)
    try:
        session = onnxruntime.InferenceSession(subject.data, options, providers=["CPUExecutionProvider"])
        outputs = session.run(names, _inputs(subject, pixels))
    except Exception as error:
        raise _refused("ONNX Runtime", error) from error
    return dict(zip(names, outputs, strict=True))


def _onnx(subject: Subject, pixels: Array) -> dict[str, Array]:
    import onnx
    from onnx.reference import ReferenceEvaluator

    names = list(subject.model.graph.outputs)
    try:
        evaluator = ReferenceEvaluator(onnx.load_model_from_string(subject.data))
        outputs = evaluator.run(names, _inputs(subject, pixels))
    except Exception as error:
        raise _refused("onnx.reference", error) from error
    return dict(zip(names, outputs, strict=True))


def _refused(name: str, error: Exception) -> CheckFailed:
    return CheckFailed(
        f"{name} does not run the model",
        found=f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}",
        hint="the file is damaged, or that executor's version does not support it; leave it out of --with to go on",
    )


EXECUTORS: dict[str, Executor] = {
    "reference": Executor("reference", _reference),
    "numba": Executor("numba", _numba),
    "onnxruntime": Executor("onnxruntime", _onnxruntime, extra="quantize"),
    "onnx": Executor("onnx", _onnx),
}
"""Every executor by name: the definition, the fast engine, ONNX Runtime on the CPU, and onnx.reference."""


def find_executors(names: Sequence[str]) -> list[Executor]:
    """Return executors by name, each once.

    Raises:
        UsageError: there is none of a name, or its package is not installed.
    """
    found = []
    for name in dict.fromkeys(names):
        if name not in EXECUTORS:
            message = NOT_YET.get(name, "no such executor")
            raise UsageError(message, where="--with", expected=",".join(EXECUTORS), found=name or "an empty name")
        executor = EXECUTORS[name]
        if executor.missing and executor.extra:
            raise missing_extra(executor.extra, executor.missing)
        found.append(executor)
    return found


__all__ = ["EXECUTORS", "EXTRAS", "Executor", "find_executors"]
