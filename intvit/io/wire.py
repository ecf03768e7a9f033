"""Reads an ONNX file piece by piece, so that the bytes of its constants never lie in memory twice.

Protobuf would keep a copy of them for as long as the message lives. Here it only gets what is around them.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase
from typing import NamedTuple

import onnx
from google.protobuf.message import DecodeError, Message

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH = onnx.ModelProto.GRAPH_FIELD_NUMBER
_INITIALIZER = onnx.GraphProto.INITIALIZER_FIELD_NUMBER
_RAW_DATA = onnx.TensorProto.RAW_DATA_FIELD_NUMBER


class Span(NamedTuple):
    """A part of a file: where it starts and its length in bytes."""

    start: int
    length: int


class _Field(NamedTuple):
    """One field of a message: its number, its wire type, and the bytes from its tag on and without it."""

    number: int
    kind: int
    whole: Span
    content: Span


def read_model(stream: BufferedIOBase, size: int) -> tuple[onnx.ModelProto, list[Span]]:
    """Read an ONNX model without the raw data of its initializers.

    Args:
        stream: the file.
        size: its length; nothing behind that is read.

    Returns:
        The model, and for each initializer where its raw data lies in the file; an empty span if it has none.

    Raises:
        DecodeError: the file is not an ONNX model or is cut short.
    """
    model = onnx.ModelProto()
    spans: list[Span] = []
    for field in _fields(stream, Span(0, size)):
        if field.number == _GRAPH and field.kind == _BYTES:
            model.graph.SetInParent()
            spans += _read_graph(stream, field.content, model.graph)
        else:
            _merge(stream, field.whole, model)
    return model, spans


def read_exactly(stream: BufferedIOBase, span: Span, target: memoryview) -> None:
    """Fill `target`, as long as the span, with the span's bytes.

    Raises:
        DecodeError: the file ends before.
    """
    stream.seek(span.start)
    if stream.readinto(target) != span.length:
        raise DecodeError("the file is cut short")


def _read_graph(stream: BufferedIOBase, span: Span, graph: onnx.GraphProto) -> Iterator[Span]:
    for field in _fields(stream, span):
        if field.number == _INITIALIZER and field.kind == _BYTES:
            yield _read_tensor(stream, field.content, graph.initializer.add())
        else:
            _merge(stream, field.whole, graph)


def _read_tensor(stream: BufferedIOBase, span: Span, tensor: onnx.TensorProto) -> Span:
    """Read a tensor without its raw data and return where that is: the last, as everywhere in protobuf, if there are more."""
    raw = Span(span.start, 0)
    for field in _fields(stream, span):
        if field.number == _RAW_DATA and field.kind == _BYTES:
            raw = field.content
        else:
            _merge(stream, field.whole, tensor)
    return raw


def _merge(stream: BufferedIOBase, span: Span, message: Message) -> None:
    stream.seek(span.start)
    message.MergeFromString(stream.read(span.length))


def _fields(stream: BufferedIOBase, message: Span) -> Iterator[_Field]:
    """Find the fields of a message, each inside it, one right after the other."""
    start, end = message.start, message.start + message.length
    while start < end:
        stream.seek(start)
        tag, content = _varint(stream, start)
        number, kind = tag >> 3, tag & 7
        length = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
        if kind == _BYTES:
            length, content = _varint(stream, content)
        elif kind == _VARINT:
            length = _varint(stream, content)[1] - content
        elif not length:
            raise DecodeError(f"no such wire type: {kind}")
        if number == 0 or content + length > end:
            raise DecodeError("a field does not fit its message")
        yield _Field(number, kind, Span(start, content + length - start), Span(content, length))
        start = content + length


def _varint(stream: BufferedIOBase, position: int) -> tuple[int, int]:
    """Return the number in the next one to ten bytes of the stream, and the position behind it."""
    value = 0
    for i, byte in enumerate(stream.read(10)):
        value |= (byte & 127) << 7 * i
        if byte < 128:
            stream.seek(position + i + 1)
            return value, position + i + 1
    raise DecodeError("a number is cut short or too long")
