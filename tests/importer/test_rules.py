"""Each spelling alone, written as ONNX text, becomes its canonical operators and computes the same."""

import numpy as np
import pytest
from importer_fixtures import imported, model_of
from onnx import TensorProto, helper, numpy_helper

from intvit.importer import CanonicalModel, coverage, import_onnx
from intvit.importer.model import is_helper


def ops_of(model: CanonicalModel) -> list[str]:
    """Operators after the patch embedding."""
    ops = [node.op_type for node in model.model.graph if not is_helper(node)]
    assert ops[:3] == ["Conv", "Reshape", "Transpose"]
    return ops[3:]


ONE_NODE = {
    "gelu_x_over_root2": ("Gelu", """
        r = Constant <value_float = 1.4142135> () one = Constant <value_float = 1.0> ()
        h = Constant <value_float = 0.5> () a = Div (x, r) e = Erf (a) s = Add (e, one)
        t = Mul (x, s) y = Mul (t, h)"""),
    "gelu_half_times_sum": ("Gelu", """
        r = Constant <value_float = 0.7071> () one = Constant <value_float = 1.0> ()
        h = Constant <value_float = 0.5> () a = Mul (r, x) e = Erf (a) s = Add (one, e)
        t = Mul (h, s) y = Mul (t, x)"""),
    "gelu_half_x_first": ("Gelu", """
        r = Constant <value_float = 1.4142135> () one = Constant <value_float = 1.0> ()
        h = Constant <value_float = 0.5> () a = Div (x, r) e = Erf (a) s = Add (e, one)
        t = Mul (h, x) y = Mul (s, t)"""),
    "gelu_distributed": ("Gelu", """
        r = Constant <value_float = 1.4142135> () h = Constant <value_float = 0.5> ()
        a = Div (x, r) e = Erf (a) t = Mul (x, h) u = Mul (t, e) y = Add (u, t)"""),
    "gelu_divided_by_two": ("Gelu", """
        r = Constant <value_float = 1.4142135> () one = Constant <value_float = 1.0> ()
        h = Constant <value_float = 2.0> () a = Div (x, r) e = Erf (a) s = Add (e, one)
        t = Div (x, h) y = Mul (s, t)"""),
    "gelu_tanh_cube_by_products": ("Gelu", """
        c = Constant <value_float = 0.044715> () k = Constant <value_float = 0.7978845> ()
        one = Constant <value_float = 1.0> () h = Constant <value_float = 0.5> ()
        x2 = Mul (x, x) x3 = Mul (x2, x) p = Mul (c, x3) q = Add (x, p) a = Mul (q, k) e = Tanh (a)
        s = Add (e, one) t = Mul (h, x) y = Mul (t, s)"""),
    "norm_pow_sqrt_div": ("LayerNormalization", """
        two = Constant <value_float = 2.0> () eps = Constant <value_float = 0.00001> ()
        m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) q = Pow (d, two) v = ReduceMean <axes = [2]> (q)
        a = Add (v, eps) s = Sqrt (a) n = Div (d, s) g = Mul (n, gamma) y = Add (g, beta)"""),
    "norm_reciprocal": ("LayerNormalization", """
        eps = Constant <value_float = 0.00001> () m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) q = Mul (d, d)
        v = ReduceMean <axes = [-1]> (q) a = Add (eps, v) s = Sqrt (a) r = Reciprocal (s) n = Mul (r, d)
        g = Mul (gamma, n) y = Add (beta, g)"""),
    "norm_power_of_minus_half": ("LayerNormalization", """
        p = Constant <value_float = -0.5> () eps = Constant <value_float = 0.00001> ()
        m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) d2 = Sub (x, m) q = Mul (d2, d2)
        v = ReduceMean <axes = [-1]> (q) a = Add (v, eps) r = Pow (a, p) y = Mul (d, r)"""),
    "norm_one_over": ("LayerNormalization", """
        one = Constant <value_float = 1.0> () eps = Constant <value_float = 0.00001> ()
        m = ReduceMean <axes = [-1]> (x) d = Sub (x, m) q = Mul (d, d) v = ReduceMean <axes = [-1]> (q)
        a = Add (v, eps) s = Sqrt (a) r = Div (one, s) n = Mul (d, r) y = Mul (n, gamma)"""),
    "norm_with_casts": ("LayerNormalization", """
        two = Constant <value_float = 2.0> () eps = Constant <value_float = 0.00001> () x1 = Cast <to = 1> (x)
        m = ReduceMean <axes = [-1]> (x1) d = Sub (x1, m) c = Cast <to = 1> (d) q = Pow (c, two)
        v = ReduceMean <axes = [-1]> (q) a = Add (v, eps) s = Sqrt (a) y = Div (d, s)"""),
    "norm_fused_without_beta": ("LayerNormalization", "y = LayerNormalization <axis = 2> (x, gamma)"),
    "sub_constant": ("Add", "y = Sub (x, b)"),
    "div_constant": ("Mul", "y = Div (x, b)"),
    "constant_first": ("Add", "y = Add (b, x)"),
    "negation": ("Mul", "y = Neg (x)"),
    "matmul": ("MatMul", "y = MatMul (x, w)"),
    "matmul_transposed": ("MatMul", "v = Transpose <perm = [1, 0]> (wt) y = MatMul (x, v)"),
    "softmax": ("Softmax", "y = Softmax <axis = 2> (x)"),
    "global_average_pool": ("ReduceMean", "y = GlobalAveragePool (patches)"),
    "token_average": ("ReduceMean", "y = ReduceMean <axes = [-2], keepdims = 0> (x)"),
    "squeeze_unsqueeze": ("Softmax", """
        a = Constant <value_ints = [1]> () u = Unsqueeze (x, a) v = Squeeze (u, a) y = Softmax (v)"""),
    "noops": ("Softmax", """
        i = Identity (x) d = Dropout (i) t = Transpose <perm = [0, 1, 2]> (d) z = Constant <value_float = 0.0> ()
        a = Add (t, z) o = Constant <value_float = 1.0> () m = Mul (o, a) y = Softmax (m)"""),
}  # fmt: skip


@pytest.mark.parametrize("name", ONE_NODE)
def test_becomes_one_node(name: str) -> None:
    op_type, body = ONE_NODE[name]
    model = imported(model_of(body), tolerance=1e-3 if "gelu" in name else 1e-5)
    ops = ops_of(model) if "patches" not in body else [node.op_type for node in model.model.graph][1:]
    assert ops == [op_type]
    assert all(c.supported for c in coverage(model))


SEVERAL_NODES = {
    "gemm": (["Concat", "Slice", "Reshape", "MatMul", "Add"], """
        xx = Concat <axis = 1> (x, x) i = Constant <value_int = -1> () r = Gather <axis = 1> (xx, i)
        y = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (r, wt, b8)"""),
    "gather_range": (["Concat", "Slice"], """
        xx = Concat <axis = 1> (x, x) i = Constant <value_ints = [1, 2]> () y = Gather <axis = 1> (xx, i)"""),
    "slice_negative": (["Concat", "Slice"], """
        s = Constant <value_ints = [-3]> () e = Constant <value_ints = [9223372036854775807]> ()
        xx = Concat <axis = 1> (x, x) a = Constant <value_ints = [-2]> () y = Slice (xx, s, e, a)"""),
    "split": (["Slice", "Slice", "Slice", "Concat"], """
        s = Constant <value_ints = [3, 4, 5]> () p, q, r = Split <axis = -1> (x, s)
        k = Constant <value_ints = [-1]> () e = Constant <value_ints = [100]> () t = Slice (r, k, e, k)
        y = Concat <axis = -1> (p, t)"""),
    "slice_two_axes": (["Concat", "Slice", "Slice"], """
        s = Constant <value_ints = [1, 2]> () e = Constant <value_ints = [3, -1]> () xx = Concat <axis = 1> (x, x)
        a = Constant <value_ints = [1, 2]> () y = Slice (xx, s, e, a)"""),
    "class_token": (["Expand", "Concat", "Add"], """
        f = Shape (x) i = Constant <value_ints = [0]> () n = Gather (f, i) r = Constant <value_ints = [-1, -1]> ()
        d = Concat <axis = 0> (n, r) five = Constant <value_ints = [3]> () ones = ConstantOfShape (five)
        neg = Constant <value_ints = [-1]> () t1 = Equal (d, neg) o = Constant <value_ints = [1, 1, 12]> ()
        t = Where (t1, o, d) c = Expand (token, t) z = Concat <axis = 1> (c, x) y = Add (z, z)"""),
    "product_of_tokens": (["Transpose", "MatMul"], "t = Transpose <perm = [0, 2, 1]> (x) y = MatMul (x, t)"),
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL_NODES)
def test_becomes_a_few_nodes(name: str) -> None:
    ops, body = SEVERAL_NODES[name]
    model = imported(model_of(body))
    assert ops_of(model) == ops
    assert all(c.supported for c in coverage(model))


def test_attention_of_three_dims() -> None:
    model = imported(model_of("y = Attention <q_num_heads = 3, kv_num_heads = 3> (x, x, x)", opset=23))
    assert ops_of(model) == [
        "Reshape",
        "Transpose",
        "Transpose",
        "MatMul",
        "Mul",
        "Softmax",
        "MatMul",
        "Transpose",
        "Reshape",
    ]


@pytest.mark.parametrize("batch", ["1", "N"])
def test_input_dims_keep_what_is_dynamic(batch: str) -> None:
    model = imported(model_of("y = Softmax (x)", batch=batch))
    assert model.dynamic_batch
    assert model.shapes["image"] == ("N", 3, 8, 8)
    assert model.to_proto().graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


def test_batch_that_is_built_in_stays_one() -> None:
    body = "z = Constant <value_ints = [0]> () s = Softmax (x) r = Constant <value_ints = [4, 12]> () y = Reshape (s, r)"
    source = model_of(body + " q = ReduceMean <axes = [0]> (y)", result="q", batch="1")
    model = imported(source, batch=1)
    assert not model.dynamic_batch
    assert model.shapes["image"] == ("N", 3, 8, 8)
    assert model.to_proto().graph.input[0].type.tensor_type.shape.dim[0].dim_value == 1


UNSUPPORTED = {
    "Relu": "y = Relu (x)",
    "Mul": "y = Mul (x, x)",
    "Sigmoid": "y = Sigmoid (x)",
    "Softmax": "y = Softmax <axis = 1> (x)",
    "LayerNormalization": "g = Constant <value_floats = [1.0]> () y = LayerNormalization <axis = 1> (x, table)",
    "Gather": "i = Constant <value_ints = [2, 0]> () y = Gather <axis = 1> (x, i)",
    "Slice": """s = Constant <value_ints = [0]> () e = Constant <value_ints = [4]> () a = Constant <value_ints = [1]> ()
        t = Constant <value_ints = [2]> () y = Slice (x, s, e, a, t)""",
    "Conv": "y = Conv <kernel_shape = [4, 4], pads = [1, 1, 1, 1]> (image, kernel)",
    "Tanh": "y = Tanh (x)",
    "Erf": "y = Erf (x)",
}


@pytest.mark.parametrize("op_type", UNSUPPORTED)
def test_says_what_is_not_supported_and_what_to_do(op_type: str) -> None:
    source = model_of(UNSUPPORTED[op_type])
    if op_type == "LayerNormalization":
        next(t for t in source.graph.initializer if t.name == "table").dims[:] = [4, 12]
    bad = [c for c in coverage(imported(source)) if not c.supported]
    assert [c.op_type for c in bad] == [op_type]
    assert bad[0].node
    assert bad[0].reason
    assert bad[0].hint


def test_operator_of_another_domain_is_reported() -> None:
    source = model_of("t = Softmax (x) y = Relu (t)")
    source.graph.node[-1].domain = "com.example"
    source.opset_import.append(helper.make_opsetid("com.example", 1))
    source.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 12]))
    model = import_onnx(source.SerializeToString())
    assert [c.op_type for c in coverage(model) if not c.supported] == ["com.example::Relu"]


def test_half_precision_becomes_single() -> None:
    source = model_of("a = MatMul (x, w) y = Add (b8, a)")
    for tensor in source.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    for value in (*source.graph.input, *source.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    model = import_onnx(source.SerializeToString())
    assert ops_of(model) == ["MatMul", "Add"]
    assert {v.type.tensor_type.elem_type for v in (*model.to_proto().graph.input, *model.to_proto().graph.output)} == {1}
