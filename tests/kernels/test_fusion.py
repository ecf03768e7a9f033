"""What the engine rewrites, fuses and places before it runs: never the bits."""

from dataclasses import replace

import numpy as np
import pytest
from layers import RNG, add, all_of, assert_same, graph_of, linear, part
from vit import make_vit

from intvit import ops
from intvit.ir import Node, check_graph
from intvit.kernels.program import Program, Stage
from intvit.numerics import S16, U8
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.runtime.fuse import group_nodes
from intvit.runtime.movement import bind_copy, merged_axes
from intvit.runtime.rows import split_rows


def test_rows_of_a_linear_layer_are_sliced_before_it():
    layer, constants = linear("l", "x", "y", 12, 20)
    nodes = [layer, part("a", "y", "first", 0, 1), part("b", "y", "others", 1, 7)]
    assert assert_same(graph_of(nodes, ("first", "others"), constants)) == ["Linear", "Linear"]


@pytest.mark.parametrize(
    "slices",
    [
        [part("a", "y", "first", 0, 2), part("b", "y", "others", 1, 7)],
        [part("a", "y", "first", 0, 9, axis=2), part("b", "y", "others", 9, 20, axis=2)],
        [part("a", "y", "first", 0, 1), add("b", "y", "r", "others")],
    ],
    ids=["overlapping", "channels", "another reader"],
)
def test_a_linear_layer_that_is_not_read_by_separate_rows_stays_whole(slices):
    layer, constants = linear("l", "x", "y", 12, 20)
    graph = graph_of([layer, *slices], ("first", "others"), constants)
    assert_same(graph)
    assert split_rows(graph, check_graph(graph)) == graph


def test_a_residual_addition_is_fused_on_either_side():
    for a, b in (("y", "r"), ("r", "y")):
        layer, constants = linear("l", "x", "y", 12, 20)
        assert assert_same(graph_of([layer, add("a", a, b, "z")], ("z",), constants)) == ["Linear+Add"]


@pytest.mark.parametrize("shift", [28, 41])
def test_16_bits_between_two_layers_are_fused_on_both_sides(shift, level):
    """The GELU's outputs and the inputs of the layer with the residual; a small shift leaves that layer alone."""
    one, first = linear("l", "x", "h", 12, 30, shift=34)
    two, second = linear("m", "g", "y", 30, 20, shift=shift)
    gelu = ops.GeluPolynomial(coefficients=DEGREE_8, fraction_bits=12, shift=32, **all_of(S16))
    constants = first | second | {"s": RNG.integers(1 << 29, 1 << 30, 30).astype(np.int32)}
    nodes = [one, Node("g", gelu, ("h", "s"), ("g",)), two, add("a", "y", "r", "z")]
    kinds = assert_same(graph_of(nodes, ("z",), constants), level)
    rest = ["Linear+Add"] if shift > 32 else ["Linear", "Add"]
    assert [kind for kind in dict.fromkeys(kinds) if kind != "copy"] == ["Linear+GeluPolynomial", *rest]


def test_two_layers_added_to_each_other():
    one, first = linear("l", "x", "y", 12, 20)
    two, second = linear("m", "x", "z", 12, 20)
    kinds = assert_same(graph_of([one, two, add("a", "y", "z", "s")], ("s",), first | second))
    assert sorted(kinds) == ["Linear", "Linear+Add"]


def test_a_layer_added_to_itself():
    layer, constants = linear("l", "x", "y", 12, 20)
    assert assert_same(graph_of([layer, add("a", "y", "y", "z")], ("z",), constants)) == ["Linear", "Add"]


def test_what_the_graph_returns_is_not_fused_away():
    layer, constants = linear("l", "x", "y", 12, 20)
    assert assert_same(graph_of([layer, add("a", "y", "r", "z")], ("z", "y"), constants)) == ["Linear", "Add"]


def joined(swap=False, both=False):
    one, first = linear("l", "x1", "y1", 12, 20)
    two, second = linear("m", "x2", "y2", 12, 20)
    other = "r"
    nodes = [part("s1", "x", "x1", 0, 1), part("s2", "x", "x2", 1, 7), one, two]
    nodes.append(Node("c", ops.Concat(axis=1), ("y1", "y2"), ("y",)))
    if both:
        nodes += [part("s3", "r", "r1", 0, 4), part("s4", "r", "r2", 4, 7)]
        nodes.append(Node("d", ops.Concat(axis=1), ("r1", "r2"), ("other",)))
        other = "other"
    nodes.append(add("a", *((other, "y") if swap else ("y", other)), "z"))
    return graph_of(nodes, ("z",), first | second)


@pytest.mark.parametrize("swap", [False, True])
def test_parts_are_added_before_they_are_joined_and_written_where_they_belong(swap):
    assert assert_same(joined(swap)) == ["Linear+Add", "Linear+Add"]


def test_two_joined_operands():
    assert_same(joined(both=True))
    assert_same(joined(swap=True, both=True))


def test_a_join_of_channels_is_copied():
    one, first = linear("l", "x", "y1", 12, 8)
    two, second = linear("m", "x", "y2", 12, 12)
    nodes = [one, two, Node("c", ops.Concat(axis=2), ("y1", "y2"), ("y",)), add("a", "y", "r", "z")]
    assert assert_same(graph_of(nodes, ("z",), first | second)) == ["Linear", "Linear", "copy", "copy", "Add"]


def test_a_part_that_is_read_twice_is_copied():
    one, first = linear("l", "x", "y", 12, 20)
    nodes = [one, Node("c", ops.Concat(axis=1), ("y", "r"), ("z",)), add("a", "y", "r", "s")]
    assert assert_same(graph_of(nodes, ("z", "s"), first)).count("copy") == 2
    doubled = [one, Node("c", ops.Concat(axis=1), ("y", "y"), ("z",))]
    assert assert_same(graph_of(doubled, ("z",), first)).count("copy") == 2


def test_groups_cover_every_node_once():
    graph = make_vit(wide=True)
    split = split_rows(graph, check_graph(graph))
    groups = group_nodes(split, check_graph(split))
    names = [node.name for group in groups for node in group.nodes]
    assert sorted(names) == sorted(node.name for node in split.nodes)
    known = {*split.inputs, *split.constants}
    for group in groups:
        assert known.issuperset(group.inputs)
        known.update(group.outputs)


@pytest.mark.parametrize("seed", range(20))
def test_copies_of_any_strides(seed):
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 7))
    kind = rng.choice([np.int8, np.int16, np.int32, np.int64])
    shape = rng.integers(1, 5, rank)
    x, y = (
        np.zeros(shape[order] * 2, kind).transpose(np.argsort(order))
        for order in (rng.permutation(rank), rng.permutation(rank))
    )
    x, y = (a[tuple(slice(0, 2 * n, 2) if rng.integers(2) else slice(n, 2 * n) for n in shape)] for a in (x, y))
    x[...] = rng.integers(-100, 100, x.shape)
    step = bind_copy([x], [y])
    step()
    np.testing.assert_array_equal(y, x)
    y[...] = 0
    program = Program([Stage((step,))], 3)
    program.open()
    program.lead()
    np.testing.assert_array_equal(y, x)


def test_axes_are_merged_as_far_as_both_arrays_allow():
    x, y = np.zeros((4, 6, 8), np.int16), np.zeros((6, 4, 8), np.int16).transpose(1, 0, 2)
    assert merged_axes(x, x) == [(1, 0, 0), (384, 1, 1)]
    assert merged_axes(x, y) == [(4, 96, 16), (6, 16, 64), (16, 1, 1)]


def test_a_helper_that_comes_late_or_never_changes_nothing():
    x, y = np.arange(1000, dtype=np.int16).reshape(100, 10), np.zeros((100, 10), np.int16)
    steps = bind_copy([x[:, ::2]], [y[:, ::2]]), bind_copy([x[:, 1::2]], [y[:, 1::2]])
    program = Program([Stage((step,)) for step in steps], 2)
    program.help_out()
    assert not y.any(), "a program is closed at first"
    program.open()
    program.lead()
    np.testing.assert_array_equal(y, x)
    y[...] = 0
    program.help_out()
    assert not y.any(), "a thread that comes when all is done must do nothing"
    for _ in range(2):
        y[...] = 0
        program.open()
        program.help_out()
        np.testing.assert_array_equal(y, x)
        program.lead()
    np.testing.assert_array_equal(y, x)


def test_the_sample_is_sound():
    for choice in ({}, {"tables": True}, {"wide": True}):
        graph = make_vit(**choice)
        assert check_graph(replace(graph))
    assert graph.inputs["pixels"].dtype == U8
