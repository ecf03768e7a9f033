"""Files read piece by piece: the same model as protobuf reads, and the raw data where it lies in the file."""

import io

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from helpers.attention import attention_graph
from helpers.graphs import model_bytes
from onnx import TensorProto, helper, numpy_helper

from intvit.io.wire import Span, read_exactly, read_model

DATA = model_bytes(attention_graph())


def read(data):
    """Read a model with the raw data put back."""
    model, spans = read_model(io.BytesIO(data), len(data))
    for tensor, span in zip(model.graph.initializer, spans, strict=True):
        assert not tensor.HasField("raw_data")
        if span.length:
            tensor.raw_data = data[span.start : span.start + span.length]
    return model


def float_model():
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]) for name in "xy"]
    raw = numpy_helper.from_array(np.arange(300, dtype=np.float32), "raw")
    typed = helper.make_tensor("typed", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    node = helper.make_node("Sum", ["x", "raw", "typed"], ["y"], alpha=0.5)
    graph = helper.make_graph([node], "g", values[:1], values[1:], [raw, typed])
    return helper.make_model(graph, producer_name="test").SerializeToString()


@pytest.mark.parametrize("data", [DATA, float_model(), b"", onnx.ModelProto(graph=onnx.GraphProto()).SerializeToString()])
def test_it_is_the_model_that_protobuf_reads(data):
    assert read(data) == onnx.ModelProto.FromString(data)


def test_a_file_in_two_halves_is_merged_as_protobuf_merges():
    assert read(DATA + float_model()) == onnx.ModelProto.FromString(DATA + float_model())


def field(number, content):
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def test_the_last_raw_data_counts():
    data = field(7, field(5, field(9, b"first") + field(8, b"name") + field(9, b"last")))
    assert read(data) == onnx.ModelProto.FromString(data)
    assert read(data).graph.initializer[0].raw_data == b"last"


@pytest.mark.parametrize(
    "data",
    [
        b"\x3a",
        b"\x3a\x05\x2a\x04",
        b"\x3a\x02\x2a\x01\x4a",
        b"\x08" + b"\xff" * 10 + b"\x01",
        b"\x0b",
        b"\x0e\x00",
        b"\x02\x01\x00",
        b"\x0d\x00\x00",
    ],
    ids=["no length", "graph cut", "tensor beyond its graph", "long number", "group", "wire type", "field 0", "fixed cut"],
)
def test_what_does_not_fit_is_refused(data):
    with pytest.raises(DecodeError):
        read_model(io.BytesIO(data), len(data))


def test_nothing_behind_the_size_is_read():
    assert read_model(io.BytesIO(DATA + b"\xff" * 20), len(DATA))[0] == read_model(io.BytesIO(DATA), len(DATA))[0]


def test_a_file_that_got_shorter_is_refused():
    target = np.empty(8, np.uint8)
    read_exactly(io.BytesIO(b"0123456789"), Span(2, 8), target.data)
    assert target.tobytes() == b"23456789"
    with pytest.raises(DecodeError):
        read_exactly(io.BytesIO(b"012345678"), Span(2, 8), target.data)
