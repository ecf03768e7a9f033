"""Damaged and hostile files: a typed error that says what is wrong, or a model that is proved; never anything else."""

import random
import tracemalloc

import onnx
import pytest
from helpers.attention import attention_graph
from helpers.graphs import model_bytes
from onnx import TensorProto, helper
from ops.cases import CASES, GENERATORS

from intvit.errors import InputFileError, IntvitError
from intvit.io import IntegerModel, model_from_bytes
from intvit.ir import GraphError, certify
from intvit.ops import OPS

GRAPH = attention_graph()
DATA = model_bytes(GRAPH)
LINEAR = next(i for i, node in enumerate(GRAPH.nodes) if node.op.kind() == "Linear")


def proto():
    return onnx.load_from_string(DATA)


def refused(damaged, match, error=InputFileError):
    with pytest.raises(error, match=match) as caught:
        model_from_bytes(damaged.SerializeToString() if isinstance(damaged, onnx.ModelProto) else damaged)
    return caught.value


def loads_or_refuses(data):
    """Load; accept a proved model or an `IntvitError`, whatever else is raised fails the test."""
    try:
        model = model_from_bytes(data)
    except IntvitError as error:
        assert error.message
        return False
    assert isinstance(model, IntegerModel)
    assert not certify(model.graph).failures
    return True


@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 8, 13, 21, *range(34, len(DATA), len(DATA) // 150), len(DATA) - 1])
def test_truncated_files(length):
    assert not loads_or_refuses(DATA[:length])


@pytest.mark.parametrize("data", [b"", b"\0", b"hello", b"\x08\x0a", b"PK\x03\x04", bytes(1000), b"\xff" * 1000])
def test_files_of_something_else(data):
    assert not loads_or_refuses(data)


def test_a_float_model_is_told_from_an_integer_one():
    node = helper.make_node("Relu", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:]), producer_name="pytorch")
    error = refused(model, "is not an integer model")
    assert error.found == "an ONNX model by pytorch"
    assert "intvit quantize" in error.hint


def mutate(data, rng):
    """Flip a bit, set a byte, cut a piece out, repeat one, or swap two."""
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice([0, 1, 127, 128, 255])
        elif kind == 2:
            del data[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = data[at : at + rng.randrange(1, 9)]
        else:
            other = rng.randrange(len(data))
            data[at], data[other] = data[other], data[at]
    return bytes(data)


SMALL = [case for case in CASES if case.name in ("Linear-all-minimum-shift-62", "Linear-four-bit-weights")]


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
@pytest.mark.parametrize("part", range(10))
def test_random_mutations(case, part):
    rng, loaded = random.Random(part), 0
    data = model_bytes(case.graph)
    for _ in range(50):
        loaded += loads_or_refuses(mutate(data, rng))
    assert loaded < 50


@pytest.mark.parametrize("part", range(4))
def test_random_mutations_of_a_larger_model(part):
    rng = random.Random(100 + part)
    for _ in range(15):
        loads_or_refuses(mutate(DATA, rng))


DAMAGE = {}


def damage(match, error=InputFileError):
    def note(change):
        DAMAGE[change.__name__] = (change, match, error)
        return change

    return note


def property_of(model, key):
    return next(p for p in model.metadata_props if p.key == f"intvit.{key}")


def attribute_of(node, name):
    return next(a for a in node.attribute if a.name == name)


@damage("format that this version does not read")
def newer_format(m):
    property_of(m, "format_version").value = "2"


@damage("is not an integer model")
def no_format(m):
    m.metadata_props.remove(property_of(m, "format_version"))


@damage("damaged metadata")
def metadata_that_is_no_json(m):
    property_of(m, "options").value = "{"


@damage("damaged metadata")
def metadata_of_another_kind(m):
    property_of(m, "labels").value = "{}"


@damage("damaged metadata")
def scale_divided_by_zero(m):
    property_of(m, "output_scales").value = '{"y": "1/0"}'


@damage("damaged metadata")
def known_answer_without_nodes(m):
    m.metadata_props.add(key="intvit.known_answer", value='{"input": "0"}')


@damage("in another way")
def changed_function_body(m):
    m.functions[0].node[0].op_type = "Abs"


@damage("in another way")
def shortened_function_body(m):
    del m.functions[0].node[-1]


@damage("in another way")
def function_with_another_attribute(m):
    m.functions[0].attribute.append("more")


@damage("unknown operator")
def function_of_another_name(m):
    m.functions[0].name = "Nonsense"


@damage("unknown operator")
def function_of_another_domain(m):
    m.functions[0].domain = "ai.onnx.ml"


@damage("lies in another file")
def external_data(m):
    tensor = m.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


@damage("lies in another file")
def external_data_entry_alone(m):
    m.graph.initializer[0].external_data.add(key="location", value="weights.bin")


@damage("is not an integer tensor")
def float_initializer(m):
    m.graph.initializer[0].data_type = TensorProto.FLOAT


@damage("is not an integer tensor")
def float_input(m):
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


@damage("is not an integer tensor")
def input_without_a_type(m):
    m.graph.input[0].ClearField("type")


@damage("fixed dimensions")
def input_with_two_batches(m):
    m.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "M"


@damage("fixed dimensions")
def input_with_an_unknown_dimension(m):
    m.graph.input[0].type.tensor_type.shape.dim[1].ClearField("dim_value")


@damage("wrong attributes")
def missing_attribute(m):
    del m.graph.node[LINEAR].attribute[0]


@damage("wrong attributes")
def attribute_too_many(m):
    m.graph.node[LINEAR].attribute.append(helper.make_attribute("more", 1))


@damage("damaged attribute")
def attribute_of_floats(m):
    attribute_of(m.graph.node[LINEAR], "shift").CopyFrom(helper.make_attribute("shift", 1.0))


@damage("damaged attribute")
def output_type_of_float(m):
    attribute_of(m.graph.node[LINEAR], "to").i = TensorProto.FLOAT


@damage("shift must lie", GraphError)
def shift_out_of_range(m):
    attribute_of(m.graph.node[LINEAR], "shift").i = 63


@damage("uses the unknown operator")
def unknown_operator(m):
    m.graph.node[LINEAR].op_type = "Convolution"


@damage("uses the unknown operator|more than operators")
def operator_of_onnx(m):
    m.graph.node[LINEAR].domain = ""


@damage("is damaged")
def short_raw_data(m):
    m.graph.initializer[0].raw_data = m.graph.initializer[0].raw_data[:-1]


@damage("is damaged")
def long_raw_data(m):
    m.graph.initializer[0].raw_data += b"\0"


@damage("is damaged")
def no_raw_data(m):
    m.graph.initializer[0].ClearField("raw_data")


@damage("is damaged")
def negative_dimension(m):
    tensor = m.graph.initializer[0]
    tensor.dims[:] = [-1, -len(tensor.raw_data)]


@damage("is damaged")
def empty_constant(m):
    m.graph.initializer[0].dims[:] = [0]
    m.graph.initializer[0].raw_data = b""


@damage("is damaged")
def huge_constant(m):
    m.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]


@damage("depth|channels|weight", GraphError)
def huge_input(m):
    for dim in m.graph.input[0].type.tensor_type.shape.dim[1:]:
        dim.dim_value = 1 << 62


@damage("nothing before it makes", GraphError)
def cycle(m):
    m.graph.node[LINEAR].input[0] = m.graph.node[-1].output[0]


@damage("nothing makes it", GraphError)
def unknown_output(m):
    m.graph.output[0].name = "absent"


@damage("inputs, found", GraphError)
def input_too_few(m):
    del m.graph.node[LINEAR].input[-1]


@damage("names 2 nodes", GraphError)
def duplicate_node_names(m):
    m.graph.node[1].name = m.graph.node[0].name


@damage("is defined 2 times", GraphError)
def constant_named_like_the_input(m):
    m.graph.initializer[0].name = m.graph.input[0].name


@damage("more than operators")
def sparse_constant(m):
    m.graph.sparse_initializer.add()


@damage("could overflow", IntvitError)
def weights_that_overflow(m):
    bias = next(t for t in m.graph.initializer if t.name == "embed.bias")
    bias.raw_data = b"\xff\xff\xff\x7f" * (len(bias.raw_data) // 4)


@damage("positive|negative", IntvitError)
def negative_numerator(m):
    tensor = next(t for t in m.graph.initializer if t.name == "0.attention.numerator")
    tensor.raw_data = b"\xff" * len(tensor.raw_data)


@pytest.mark.parametrize("name", DAMAGE)
def test_each_kind_of_damage_has_its_error(name):
    change, match, error = DAMAGE[name]
    model = proto()
    change(model)
    told = refused(model, match, error)
    assert told.message
    assert told.hint


@pytest.mark.parametrize("name", ["huge_constant", "huge_input", "external_data"])
def test_damage_costs_no_memory(name):
    model = proto()
    DAMAGE[name][0](model)
    data = model.SerializeToString()
    tracemalloc.start()
    try:
        with pytest.raises(IntvitError):
            model_from_bytes(data)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


ESCAPES = {}


def escape(change):
    ESCAPES[change.__name__] = change
    return change


@escape
def deeply_nested_json(m):
    property_of(m, "options").value = "[" * 200000


@escape
def scale_that_is_a_list(m):
    property_of(m, "output_scales").value = '{"y": [1]}'


@escape
def scale_that_is_infinite(m):
    property_of(m, "output_scales").value = '{"y": Infinity}'


@escape
def layer_norm_of_a_scalar(m):
    keep_one(m, "LayerNorm")


@escape
def fraction_bits_beyond_memory(m):
    attribute_of(next(n for n in m.graph.node if n.op_type == "GeluTable"), "fraction_bits").i = 20000


def keep_one(m, kind):
    """Leave one node whose first input is a graph input without dimensions."""
    node = next(n for n in m.graph.node if n.op_type == kind)
    kept = onnx.NodeProto()
    kept.CopyFrom(node)
    del m.graph.node[:]
    m.graph.node.append(kept)
    kinds = {t.name for t in m.graph.initializer}
    used = [name for name in kept.input if name in kinds]
    constants = [t for t in m.graph.initializer if t.name in used]
    del m.graph.initializer[:]
    m.graph.initializer.extend(constants)
    del m.graph.input[1:]
    m.graph.input[0].name = kept.input[0]
    del m.graph.input[0].type.tensor_type.shape.dim[:]
    m.graph.input[0].type.tensor_type.elem_type = TensorProto.INT16
    del m.graph.output[1:]
    m.graph.output[0].name = kept.output[0]


def test_an_attribute_name_that_is_no_text_is_refused():
    assert not loads_or_refuses(DATA.replace(b"shift", b"\xffhift", 1))


def test_a_name_that_is_no_text_is_refused():
    assert not loads_or_refuses(DATA.replace(b"class_token", b"\xfflass_token"))


NUMBERS = [-(1 << 63), -(1 << 31) - 1, -2, -1, 0, 1, 2, 15, 62, 63, 64, 1 << 31, 1 << 62, (1 << 63) - 1]


@pytest.mark.parametrize("kind", OPS)
def test_any_number_in_any_attribute(kind):
    """Each integer of each attribute replaced by each hostile number: a typed error or a proved model."""
    graph = next(GENERATORS[kind]()).graph
    data = model_bytes(graph)
    for number in NUMBERS:
        for name in graph.nodes[-1].op.attributes():
            model = onnx.load_from_string(data)
            damaged = attribute_of(model.graph.node[-1], name)
            if damaged.ints:
                damaged.ints[-1] = number
            else:
                damaged.i = number
            loads_or_refuses(model.SerializeToString())


@pytest.mark.parametrize("name", ESCAPES)
def test_no_other_error_escapes(name):
    model = proto()
    ESCAPES[name](model)
    assert not loads_or_refuses(model.SerializeToString())


MEANINGS = {}


def meaning(change):
    MEANINGS[change.__name__] = change
    return change


@meaning
def swapped_function_inputs(m):
    function = next(f for f in m.functions if f.name == "Add")
    function.input[:] = ["b", "a"]


@meaning
def swapped_function_outputs(m):
    function = next(f for f in m.functions if f.name == "SoftmaxTable")
    function.output[:] = ["row_sum", "e"]


@meaning
def older_opset_of_a_function(m):
    m.functions[0].opset_import[0].version = 11


@meaning
def missing_function(m):
    del m.functions[0]


@meaning
def function_defined_twice(m):
    m.functions.append(m.functions[0])


@meaning
def other_output_type(m):
    m.graph.output[0].type.tensor_type.elem_type = TensorProto.INT8


@meaning
def duplicate_constants(m):
    m.graph.initializer.append(m.graph.initializer[0])
    m.graph.initializer[-1].raw_data = bytes(len(m.graph.initializer[0].raw_data))


@meaning
def duplicate_inputs(m):
    m.graph.input.append(m.graph.input[0])


@pytest.mark.parametrize("name", MEANINGS)
def test_files_that_mean_something_else_to_others_are_refused(name):
    model = proto()
    MEANINGS[name](model)
    assert not loads_or_refuses(model.SerializeToString())


OTHER_CODES = {"AppendResiduals", "SoftmaxPolynomialWide", "SoftmaxTwoScale", "TwoScaleDecode", "TwoScaleEncode"}
OF_PAPERS = {"GeluErf", "GeluShift", "LayerNormNewton", "Shiftmax", "SoftmaxBit", "SoftmaxIBert"} | OTHER_CODES
UNUSED = OF_PAPERS | {"SoftmaxOctave"}
"""What that model does not use; each has a model of its own in `test_any_number_in_any_attribute`."""


def test_all_other_operators_are_in_the_damaged_model():
    assert {node.op.kind() for node in GRAPH.nodes} == set(OPS) - UNUSED
