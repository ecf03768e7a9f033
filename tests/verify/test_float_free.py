"""The search for floats finds every one that is planted."""

import onnx
import pytest
from onnx import TensorProto, helper

from intvit.errors import InputFileError
from intvit.io import model_from_bytes
from intvit.io.functions import function_of
from intvit.ops import OPS
from intvit.verify import check_float_free
from intvit.verify.float_free import OPERATORS


def test_the_model_is_free(subject):
    result = check_float_free(subject.data)
    assert result.ok
    assert result.tensors > 100
    assert result.operators > 500


def test_every_operator_of_ours_is_made_of_integer_operators():
    used = {node.op_type for op in OPS.values() for node in function_of(op).node}
    assert used <= OPERATORS


def body_node(model, kind):
    return next(node for function in model.functions for node in function.node if node.op_type == kind)


def plant_value_info(model):
    model.graph.value_info[3].type.tensor_type.elem_type = TensorProto.FLOAT


def plant_output(model):
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT16


def plant_input(model):
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE


def plant_constant(model):
    model.graph.initializer.append(helper.make_tensor("planted", TensorProto.FLOAT, [1], [0.5]))


def plant_float_data(model):
    model.graph.initializer[0].float_data.append(0.5)


def plant_attribute(model):
    model.graph.node[0].attribute.append(helper.make_attribute("planted", 0.5))


def plant_tensor_attribute(model):
    tensor = helper.make_tensor("planted", TensorProto.BFLOAT16, [1], [0.5])
    model.graph.node[0].attribute.append(helper.make_attribute("planted", tensor))


def plant_cast(model):
    next(a for a in body_node(model, "Cast").attribute if a.name == "to").i = TensorProto.FLOAT


def plant_cast_from_outside(model):
    attribute = next(a for n in model.graph.node for a in n.attribute if a.name == "to")
    attribute.i = TensorProto.FLOAT


def plant_body_constant(model):
    node = body_node(model, "Constant")
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("value_float", 1.0))


def plant_operator(model):
    body_node(model, "Div").op_type = "Exp"


def plant_operator_in_the_graph(model):
    model.graph.node.append(helper.make_node("Softmax", ["logits"], ["p"], name="planted"))


def plant_unknown_function(model):
    model.graph.node[0].domain = "elsewhere"


def plant_training(model):
    model.training_info.add()


@pytest.mark.parametrize("plant", [f for name, f in sorted(globals().items()) if name.startswith("plant_")])
def test_planted_floats_are_found(plant, subject):
    model = onnx.load_model_from_string(subject.data)
    plant(model)
    result = check_float_free(model.SerializeToString())
    assert not result.ok
    assert result.findings


def test_no_model():
    with pytest.raises(InputFileError):
        check_float_free(b"hello")


def test_the_loader_takes_what_was_searched(subject):
    assert model_from_bytes(subject.data).graph.nodes
