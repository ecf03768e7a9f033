"""An integer model: the graph and what a user needs to know about it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.ir import Graph

FORMAT_VERSION = 1
DOMAIN = "ai.intvit"
OPSET = 21
IR_VERSION = 10


@dataclass(frozen=True)
class KnownAnswer:
    """A self-test: the digest of a synthetic input and of every node's outputs on it.

    Attributes:
        input_digest: SHA-256 of `test_pattern`'s array.
        node_digests: node name to the first 16 hex digits of its outputs' digest.
    """

    input_digest: str
    node_digests: Mapping[str, str]


@dataclass(frozen=True)
class ModelInfo:
    """What travels with the graph in the file.

    Attributes:
        source_sha256: digest of the float ONNX file.
        tool_version: the intvit version that converted it.
        recipe: name of the quantization recipe.
        options: everything that determined the conversion, as JSON-ready values (numbers as text).
        preprocess: how an image becomes pixels, as JSON-ready values.
        labels: class names, or empty.
        output_scales: output name to the exact real value of one step.
        known_answer: the self-test.
        certificate: summary of the overflow certificate, for people.
    """

    source_sha256: str = ""
    tool_version: str = ""
    recipe: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Mapping[str, Any] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    output_scales: Mapping[str, Fraction] = field(default_factory=dict)
    known_answer: KnownAnswer | None = None
    certificate: str = ""

    def to_properties(self) -> dict[str, str]:
        """Return the ONNX `metadata_props`."""
        properties = {
            "intvit.format_version": str(FORMAT_VERSION),
            "intvit.tool_version": self.tool_version,
            "intvit.source_sha256": self.source_sha256,
            "intvit.recipe": self.recipe,
            "intvit.options": _dump(self.options),
            "intvit.preprocess": _dump(self.preprocess),
            "intvit.labels": _dump(list(self.labels)),
            "intvit.output_scales": _dump({k: str(v) for k, v in self.output_scales.items()}),
            "intvit.certificate": self.certificate,
        }
        if self.known_answer:
            properties["intvit.known_answer"] = _dump(
                {"input": self.known_answer.input_digest, "nodes": dict(self.known_answer.node_digests)}
            )
        return properties

    @staticmethod
    def from_properties(properties: Mapping[str, str]) -> ModelInfo:
        """Read what `to_properties` wrote.

        Raises:
            ValueError: a value is not what its key promises.
        """

        def parsed(key: str, kind: type, default: str) -> Any:
            try:
                value = json.loads(properties.get(f"intvit.{key}", default))
            except RecursionError:
                raise ValueError(f"metadata intvit.{key} is nested too deeply") from None
            if not isinstance(value, kind):
                raise ValueError(f"metadata intvit.{key} must be a JSON {kind.__name__}")
            return value

        answer = parsed("known_answer", dict, "{}")
        if answer and not (isinstance(answer.get("input"), str) and isinstance(answer.get("nodes"), dict)):
            raise ValueError("metadata intvit.known_answer must hold input and nodes")
        scales = {k: _fraction(v) for k, v in parsed("output_scales", dict, "{}").items()}
        return ModelInfo(
            source_sha256=properties.get("intvit.source_sha256", ""),
            tool_version=properties.get("intvit.tool_version", ""),
            recipe=properties.get("intvit.recipe", ""),
            options=parsed("options", dict, "{}"),
            preprocess=parsed("preprocess", dict, "{}"),
            labels=tuple(str(label) for label in parsed("labels", list, "[]")),
            output_scales=scales,
            known_answer=KnownAnswer(answer["input"], answer["nodes"]) if answer else None,
            certificate=properties.get("intvit.certificate", ""),
        )


@dataclass(frozen=True)
class IntegerModel:
    """An integer graph with its information: what a file holds."""

    graph: Graph
    info: ModelInfo

    def save(self, path: str) -> None:
        """Write the model to `path` atomically.

        Raises:
            OutputFileError: the file can't be written.
        """
        from intvit.io.write import save_model

        save_model(self, path)


def test_pattern(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return the self-test's input: uint8 noise from a multiplicative hash of the element's index."""
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    mixed = (index * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56)
    return mixed.astype(np.uint8).reshape(shape)


def _fraction(text: object) -> Fraction:
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{1,99}(/[1-9][0-9]{0,98})?", text):
        raise ValueError("metadata intvit.output_scales must hold fractions")
    return Fraction(text)


def _dump(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
