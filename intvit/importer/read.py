"""Read an ONNX file and refuse what can't be one."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx.external_data_helper import load_external_data_for_model, uses_external_data

from intvit.errors import InputFileError, ResourceLimitError, UnsupportedModelError

SIZE_LIMIT = 2**31 - 1
OPSET_MIN = 11
_REEXPORT = "export the model again, for example with torch.onnx.export(..., opset_version=17)"
_QUANTIZED = re.compile(r"(Quantize|Dequantize|DynamicQuantize)Linear$|^QLinear|Integer$|^QGemm$|^QAttention$")


@dataclass(frozen=True)
class Source:
    """A parsed ONNX file.

    Attributes:
        where: its label in messages.
        sha256: its digest.
        proto: its protobuf with all weights inside.
        serialized: the same as bytes, for those who need them.
    """

    where: str
    sha256: str
    proto: onnx.ModelProto
    serialized: bytes


def read_onnx(path: Path | str | bytes) -> Source:
    """Read and check an ONNX file.

    Args:
        path: a file, or the bytes of one.

    Returns:
        The parsed model with external data loaded.

    Raises:
        InputFileError: the file is missing, unreadable, truncated, or not valid ONNX.
        ResourceLimitError: the file is larger than 2 GiB.
        UnsupportedModelError: the opset is out of range, or the model is quantized already.
    """
    file = None if isinstance(path, bytes) else Path(path)
    where = "<bytes>" if file is None else str(file)
    data = path if isinstance(path, bytes) else _read_bytes(Path(path))
    proto = _parse(data, where)
    _check_opset(proto, where)
    external = [t for t in proto.graph.initializer if uses_external_data(t)]
    if external:
        _load_external(proto, external, file, where)
    _check_onnx(data if not external else str(file), where)
    _check_not_quantized(proto, where)
    return Source(where, hashlib.sha256(data).hexdigest(), proto, proto.SerializeToString() if external else data)


def _read_bytes(file: Path) -> bytes:
    where = str(file)
    hint = "check the path of the model"
    if not file.exists():
        raise InputFileError("no such file", where=where, expected="an ONNX file", hint=hint)
    if not file.is_file():
        raise InputFileError("not a file", where=where, expected="an ONNX file", found="a directory", hint=hint)
    size = file.stat().st_size
    if size > SIZE_LIMIT:
        _too_large(where, size)
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputFileError("can't be read", where=where, found=str(error), hint="check its permissions") from error


def _too_large(where: str, size: int) -> None:
    raise ResourceLimitError(
        "the model is too large", where=where, expected="at most 2 GiB", found=f"{size / 2**30:.1f} GiB",
        hint="ViT-Base is 0.35 GB in float32; use a smaller variant",
    )  # fmt: skip


def _parse(data: bytes, where: str) -> onnx.ModelProto:
    expected = "an ONNX model"
    if len(data) > SIZE_LIMIT:
        _too_large(where, len(data))
    if not data:
        raise InputFileError("the file is empty", where=where, expected=expected, found="0 bytes", hint=_REEXPORT)
    try:
        proto = onnx.load_model_from_string(data)
    except Exception as error:
        found = f"{len(data)} bytes that don't parse, starting with {data[:8]!r}"
        hint = "the file may be truncated or of another format; " + _REEXPORT
        raise InputFileError("not an ONNX file", where=where, expected=expected, found=found, hint=hint) from error
    if not proto.graph.node:
        found = f"no graph nodes (the file starts with {data[:8]!r})"
        raise InputFileError("not an ONNX model", where=where, expected=expected, found=found, hint=_REEXPORT)
    if not _is_text(proto):
        found = "a name that is not UTF-8"
        raise InputFileError("the file is damaged", where=where, expected=expected, found=found, hint=_REEXPORT)
    return proto


def _is_text(proto: onnx.ModelProto) -> bool:
    nodes = proto.graph.node
    owners = [*nodes, *proto.graph.initializer, *proto.graph.input, *proto.graph.output, *proto.graph.value_info]
    entries = [entry for owner in (proto, *owners) for entry in owner.metadata_props]
    texts = [owner.name for owner in owners] + [text for entry in entries for text in (entry.key, entry.value)]
    texts += [text for node in nodes for text in (node.op_type, node.domain, *node.input, *node.output)]
    return all(isinstance(text, str) for text in texts)


def _check_opset(proto: onnx.ModelProto, where: str) -> None:
    versions = [o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")]
    newest = onnx.defs.onnx_opset_version()
    found = f"opset {versions[0]}" if versions else "no ONNX opset"
    expected = f"opset {OPSET_MIN} to {newest}"
    if not versions or versions[0] < OPSET_MIN:
        raise UnsupportedModelError("the opset is too old", where=where, expected=expected, found=found, hint=_REEXPORT)
    if versions[0] > newest:
        hint = f"upgrade onnx (installed: {onnx.__version__}), or export with opset_version=17"
        raise UnsupportedModelError("the opset is too new", where=where, expected=expected, found=found, hint=hint)


def _load_external(proto: onnx.ModelProto, external: list[onnx.TensorProto], file: Path | None, where: str) -> None:
    hint = "keep the data file beside the .onnx file, or export with external_data=False"
    if file is None:
        raise InputFileError("the weights are in another file", where=where, found=external[0].name, hint=hint)
    locations = {entry.value for t in external for entry in t.external_data if entry.key == "location"}
    beside = [file.parent / location for location in sorted(locations)]
    size = sum(data.stat().st_size for data in beside if data.is_file())
    if size > SIZE_LIMIT:
        _too_large(where, size)
    try:
        load_external_data_for_model(proto, str(file.parent))
    except (onnx.checker.ValidationError, OSError, ValueError) as error:
        expected = ", ".join(sorted(locations))
        raise InputFileError(
            "the external data can't be loaded", where=where, expected=expected, found=_first_line(error), hint=hint
        ) from error


def _check_onnx(model: bytes | str, where: str) -> None:
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, ValueError, RuntimeError) as error:
        raise InputFileError("not valid ONNX", where=where, found=_first_line(error), hint=_REEXPORT) from error


def _check_not_quantized(proto: onnx.ModelProto, where: str) -> None:
    for node in proto.graph.node:
        if _QUANTIZED.search(node.op_type):
            raise UnsupportedModelError(
                "the model is quantized already", where=where, expected="a float model",
                found=f"{node.op_type} node {node.name!r}", hint="give the float model that it was made from",
            )  # fmt: skip


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
