"""The text form, letter by letter."""

import numpy as np
from helpers.graphs import full

from intvit import ops
from intvit.ir import Graph, Node, TensorType, to_text
from intvit.numerics import S8, U8

TEXT = """\
input x: u8[N,4,6]
dense: Linear<to=s8, zero_point=0, low=-128, high=127, shift=30>(x, weight, bias, multiplier) -> s8[N,4,5]
rows: Reshape<shape=[-1,5]>(dense) -> s8[4*N,5]
first: Slice<axis=1, start=0, end=2>(rows) -> s8[4*N,2]
output first: s8[4*N,2]
output dense: s8[N,4,5]"""


def test_text_form():
    constants = {
        "weight": np.ones((6, 5), np.int8),
        "bias": np.zeros(5, np.int32),
        "multiplier": np.ones(5, np.int32),
    }
    nodes = (
        Node("dense", ops.Linear(shift=30, **full(S8)), ("x", "weight", "bias", "multiplier"), ("dense",)),
        Node("rows", ops.Reshape(shape=(-1, 5)), ("dense",), ("rows",)),
        Node("first", ops.Slice(axis=1, start=0, end=2), ("rows",), ("first",)),
    )
    graph = Graph({"x": TensorType(U8, (1, 4, 6), 0)}, ("first", "dense"), constants, nodes)
    assert to_text(graph) == TEXT
