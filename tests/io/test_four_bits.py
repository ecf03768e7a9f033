"""Weights of at most four bits lie two a byte in the file, and nothing else does; in memory they are as all others."""

import ml_dtypes
import numpy as np
import onnx
import onnx.inliner
import pytest
from helpers.executors import EXECUTORS
from helpers.graphs import full, model_bytes
from helpers.identical import assert_all_identical, assert_identical
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from intvit import ops
from intvit.errors import InputFileError
from intvit.io import model_from_bytes
from intvit.io.four_bits import pack, unpack
from intvit.io.functions import function_of
from intvit.ir import Graph, GraphError, Node, TensorType
from intvit.numerics import S8, S16, U8
from intvit.ops import OPS
from intvit.ops.body import INT32
from intvit.runtime.reference import run_reference
from intvit.verify import check_float_free

CODES = st.lists(st.integers(-8, 7), min_size=1, max_size=300).map(lambda codes: np.array(codes, np.int8))
X = {"x": np.arange(14, dtype=np.uint8).reshape(2, 7) * 17}


@given(CODES)
def test_bytes_are_those_of_onnx(codes):
    assert pack(codes).tobytes() == numpy_helper.from_array(codes.astype(ml_dtypes.int4)).raw_data
    assert_identical(unpack(pack(codes), codes.size), codes)


def test_the_half_byte_behind_the_last_integer_must_be_zero():
    assert unpack(np.array([0x8F, 0x07], np.uint8), 3).tolist() == [-1, -8, 7]
    with pytest.raises(ValueError, match="not zero"):
        unpack(np.array([0x8F, 0x17], np.uint8), 3)


def linear(name, x, weight, to=S8):
    return Node(name, ops.Linear(shift=4, **full(to)), (x, weight, f"bias{to}", f"multiplier{to}"), (name,))


def graph_of(*weights, more=(), outputs=None, **constants):
    """Layers from `x` u8 [N, 7], one for each weight [7, C], and more nodes."""
    (channels,) = {weight.shape[1] for weight in weights}
    nodes = (*(linear(f"y{i}", "x", f"w{i}") for i in range(len(weights))), *more)
    constants |= {f"w{i}": weight for i, weight in enumerate(weights)}
    for to in {node.op.to for node in nodes if isinstance(node.op, ops.Linear)}:
        constants |= {f"bias{to}": np.arange(channels, dtype=np.int32), f"multiplier{to}": np.full(channels, 3, np.int32)}
    made = tuple(name for node in nodes for name in node.outputs)
    return Graph({"x": TensorType(U8, (1, 7), 0)}, outputs or made, constants, nodes)


def weight(low, high, shape=(7, 5)):
    array = np.arange(np.prod(shape)).reshape(shape) % (high - low + 1) + low
    assert (array.min(), array.max()) == (low, high)
    return array.astype(np.int8)


def stored(graph):
    """The ONNX type and the size of each constant in the file."""
    tensors = onnx.load_from_string(model_bytes(graph)).graph.initializer
    return {t.name: (t.data_type, len(t.raw_data)) for t in tensors}


def agree(graph, inputs=X):
    """Every executor, and the graph that comes back from the file, gives the reference's bits."""
    loaded = model_from_bytes(model_bytes(graph)).graph
    assert_all_identical(loaded.constants, graph.constants)
    assert not any(array.flags.writeable for array in loaded.constants.values())
    assert model_bytes(loaded) == model_bytes(graph)
    for run in EXECUTORS.values():
        assert_all_identical(run(loaded, inputs), run_reference(graph, inputs))


@pytest.mark.parametrize(
    ("low", "high", "kind", "size"),
    [
        (-8, 7, TensorProto.INT4, 18),
        (-7, 7, TensorProto.INT4, 18),
        (-1, 1, TensorProto.INT4, 18),
        (0, 0, TensorProto.INT4, 18),
        (-9, 7, TensorProto.INT8, 35),
        (-8, 8, TensorProto.INT8, 35),
    ],
)
def test_the_values_decide(low, high, kind, size):
    graph = graph_of(weight(low, high))
    assert stored(graph)["w0"] == (kind, size)
    agree(graph)


def test_layers_of_both_kinds_share_one_definition():
    graph = graph_of(weight(-8, 7), weight(-17, 17), weight(-3, 3))
    assert [stored(graph)[f"w{i}"][0] for i in range(3)] == [TensorProto.INT4, TensorProto.INT8, TensorProto.INT4]
    agree(graph)


def test_layers_may_share_a_weight():
    graph = graph_of(weight(-8, 7), more=(linear("again", "x", "w0", S16),))
    assert stored(graph)["w0"] == (TensorProto.INT4, 18)
    agree(graph)


def test_what_another_operator_reads_too_stays_in_eight_bits():
    moved = Node("moved", ops.Transpose(perm=(0, 1)), ("w0",), ("moved",))
    graph = graph_of(weight(-8, 7), more=(moved, linear("z", "x", "moved", S16)), outputs=("y0",))
    assert stored(graph)["w0"] == (TensorProto.INT8, 35)


def test_what_the_graph_gives_out_stays_in_eight_bits():
    graph = graph_of(weight(-8, 7), outputs=("y0", "w0"))
    assert stored(graph)["w0"] == (TensorProto.INT8, 35)


def test_small_integers_that_are_no_weights_stay_as_they_are():
    sums = ops.Add(multiplier_a=1, multiplier_b=1, shift=2, **full(S8))
    add = Node("sum", sums, ("y0", "shifts"), ("sum",))
    graph = graph_of(weight(-8, 7), more=(add,), outputs=("sum",), shifts=np.ones((1, 5), np.int8))
    assert [name for name, (kind, _) in stored(graph).items() if kind == TensorProto.INT4] == ["w0"]
    agree(graph)


@pytest.mark.parametrize("kind", OPS)
def test_bodies_cast_what_may_be_of_four_bits(kind):
    """Few operators of ONNX take INT4, so a body must do nothing else with such an input."""
    for name in OPS[kind].four_bit_inputs:
        readers = [node for node in function_of(OPS[kind]).node if name in node.input]
        assert readers
        assert all(node.op_type == "Cast" and node.attribute[0].i == INT32 for node in readers)


def test_it_is_a_valid_model_of_integers():
    data = model_bytes(graph_of(weight(-8, 7)))
    proto = onnx.load_from_string(data)
    onnx.checker.check_model(proto, full_check=True)
    onnx.shape_inference.infer_shapes(onnx.inliner.inline_local_functions(proto), strict_mode=True, data_prop=True)
    assert check_float_free(data).ok


def test_a_file_that_holds_them_in_eight_bits_is_read():
    proto = onnx.load_from_string(model_bytes(graph_of(weight(-8, 7))))
    (tensor,) = (t for t in proto.graph.initializer if t.name == "w0")
    tensor.CopyFrom(numpy_helper.from_array(weight(-8, 7), "w0"))
    assert_identical(model_from_bytes(proto.SerializeToString()).graph.constants["w0"], weight(-8, 7))


def damaged_weight(change):
    proto = onnx.load_from_string(model_bytes(graph_of(weight(-8, 7))))
    change({tensor.name: tensor for tensor in proto.graph.initializer}, proto)
    return proto.SerializeToString()


def cut(tensors, _proto):
    tensors["w0"].raw_data = tensors["w0"].raw_data[:-1]


def lengthen(tensors, _proto):
    tensors["w0"].raw_data += b"\0"


def fill_the_last_byte(tensors, _proto):
    tensors["w0"].raw_data = tensors["w0"].raw_data[:-1] + b"\x17"


def leave_out(tensors, _proto):
    tensors["w0"].ClearField("raw_data")


def write_as_numbers(tensors, _proto):
    tensors["w0"].ClearField("raw_data")
    tensors["w0"].int32_data[:] = [1] * 18


def enlarge(tensors, _proto):
    tensors["w0"].dims[:] = [1 << 40, 1 << 40]


def take_for_unsigned(tensors, _proto):
    tensors["w0"].data_type = TensorProto.UINT4


def store_the_bias_so(tensors, _proto):
    tensors["biass8"].data_type = TensorProto.INT4
    tensors["biass8"].raw_data = b"\0\0\0"


def give_it_out(_tensors, proto):
    proto.graph.output.append(onnx.helper.make_tensor_value_info("w0", TensorProto.INT8, [7, 5]))


def declare_the_input_so(_tensors, proto):
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT4


def declare_the_output_so(_tensors, proto):
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT4


def make_the_output_so(_tensors, proto):
    next(a for a in proto.graph.node[0].attribute if a.name == "to").i = TensorProto.INT4


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (cut, "is damaged"),
        (lengthen, "is damaged"),
        (fill_the_last_byte, "half byte is not zero"),
        (leave_out, "is damaged"),
        (write_as_numbers, "is damaged"),
        (enlarge, "is damaged"),
        (take_for_unsigned, "is not an integer tensor"),
        (store_the_bias_so, "bias must be s32"),
        (give_it_out, "is stored in four bits"),
        (declare_the_input_so, "is not an integer tensor"),
        (declare_the_output_so, "another type"),
        (make_the_output_so, "damaged attribute"),
    ],
)
def test_damage_has_its_error(change, match):
    with pytest.raises((InputFileError, GraphError), match=match) as caught:
        model_from_bytes(damaged_weight(change))
    assert caught.value.hint


def test_an_operand_of_another_operator_in_four_bits_is_refused():
    sums = ops.Add(multiplier_a=1, multiplier_b=1, shift=2, **full(S8))
    graph = Graph(
        {"x": TensorType(S8, (1, 4), 0)},
        ("y",),
        {"c": np.ones((1, 4), np.int8)},
        (Node("y", sums, ("x", "c"), ("y",)),),
    )
    proto = onnx.load_from_string(model_bytes(graph))
    proto.graph.initializer[0].data_type = TensorProto.INT4
    proto.graph.initializer[0].raw_data = b"\x11\x11"
    with pytest.raises(InputFileError, match="constant 'c' is stored in four bits") as caught:
        model_from_bytes(proto.SerializeToString())
    assert caught.value.expected == "weights only in four bits"
