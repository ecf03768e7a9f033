"""A two-block Vision Transformer of a few channels that uses every operator of the default recipes."""

import math

import numpy as np

from helpers.codes import codes
from helpers.graphs import full
from intvit import ops
from intvit.ir import Graph, Node, TensorType
from intvit.numerics import S8, S16, S32, U8
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.softmax_polynomial import CUBIC

TOKENS, CHANNELS, HEADS, HIDDEN, CLASSES = 4, 8, 2, 12, 3


def exp_table(entries=1024, steps=128):
    """255 exp(-i / steps), rounded."""
    return np.array([math.floor(255 * math.exp(-i / steps) + 0.5) for i in range(entries)], np.uint8)


def bump_table(fraction_bits, index_shift):
    """t Phi(-t) at the middle of each entry's range, with 15 fraction bits."""
    entries = 4 << (fraction_bits - index_shift)
    middle = [(i + 0.5 - 0.5 / (1 << index_shift)) * 2.0 ** (index_shift - fraction_bits) for i in range(entries)]
    return np.array([math.floor(t * math.erfc(t / math.sqrt(2)) * 2**14 + 0.5) for t in middle], np.int16)


class Builder:
    """Collects nodes and random constants under readable names."""

    def __init__(self):
        self.nodes, self.constants = [], {}

    def random(self, name, shape, dtype, low, high):
        return self.constant(name, codes(shape, dtype, low, high, seed=name, extremes=0))

    def constant(self, name, array):
        self.constants[name] = array
        return name

    def node(self, name, op, *inputs):
        outputs = tuple(name if out == op.output_names[0] else f"{name}.{out}" for out in op.output_names)
        self.nodes.append(Node(name, op, inputs, outputs, {"note": f"made for {name}"}))
        return outputs if len(outputs) > 1 else outputs[0]

    def linear(self, name, x, depth, width, to):
        weight = self.random(f"{name}.weight", (depth, width), np.int8, -128, 127)
        bias = self.random(f"{name}.bias", (width,), np.int32, -1000, 1000)
        multiplier = self.random(f"{name}.multiplier", (width,), np.int32, 1 << 21, 1 << 22)
        op = ops.Linear(shift=28 if to == S8 else 24, **full(to))
        return self.node(name, op, x, weight, bias, multiplier)

    def layer_norm(self, name, x):
        multiplier = self.random(f"{name}.multiplier", (CHANNELS,), np.int32, -(1 << 30), 1 << 30)
        bias = self.random(f"{name}.bias", (CHANNELS,), np.int64, -(1 << 48), 1 << 48)
        return self.node(name, ops.LayerNorm(epsilon=5, shift=44, **full(S8)), x, multiplier, bias)

    def attention(self, name, x, softmax):
        heads = []
        for part, perm in (("q", (0, 2, 1, 3)), ("k", (0, 2, 3, 1)), ("v", (0, 2, 1, 3))):
            y = self.linear(f"{name}.{part}", x, CHANNELS, CHANNELS, S8)
            shape = (-1, TOKENS + 1, HEADS, CHANNELS // HEADS)
            y = self.node(f"{name}.{part}.split", ops.Reshape(shape=shape), y)
            heads.append(self.node(f"{name}.{part}.heads", ops.Transpose(perm=perm), y))
        q, k, v = heads
        scores = self.node(f"{name}.scores", ops.MatMul(), q, k)
        factor = self.constant(f"{name}.factor", np.array([[[3 << 20]], [[5 << 20]]], np.int32))
        if softmax == "table":
            table = self.constant(f"{name}.table", exp_table())
            e, row_sum = self.node(f"{name}.softmax", ops.SoftmaxTable(shift=24), scores, factor, table)
        else:
            op = ops.SoftmaxPolynomial(shift=17, coefficients=CUBIC)
            e, row_sum = self.node(f"{name}.softmax", op, scores, factor)
        y = self.node(f"{name}.mix", ops.MatMul(), e, v)
        numerator = self.constant(f"{name}.numerator", np.array([[[3 << 36]], [[1 << 37]]], np.int64))
        y = self.node(f"{name}.divide", ops.SoftmaxDivide(shift=37, **full(S8)), y, row_sum, numerator)
        y = self.node(f"{name}.tokens", ops.Transpose(perm=(0, 2, 1, 3)), y)
        y = self.node(f"{name}.merge", ops.Reshape(shape=(-1, TOKENS + 1, CHANNELS)), y)
        return self.linear(f"{name}.out", y, CHANNELS, CHANNELS, S16)

    def feed_forward(self, name, x, gelu):
        y = self.linear(f"{name}.up", x, CHANNELS, HIDDEN, S16)
        multiplier = self.random(f"{name}.factor", (HIDDEN,), np.int32, 1 << 25, 1 << 26)
        if gelu == "table":
            table = self.constant(f"{name}.table", bump_table(9, 1))
            op = ops.GeluTable(fraction_bits=9, index_shift=1, shift=35, **full(S8))
            y = self.node(f"{name}.gelu", op, y, multiplier, table)
        else:
            op = ops.GeluPolynomial(fraction_bits=9, coefficients=DEGREE_8, shift=35, **full(S8))
            y = self.node(f"{name}.gelu", op, y, multiplier)
        return self.linear(f"{name}.down", y, HIDDEN, CHANNELS, S16)


def attention_graph():
    """Return the graph: u8 patches [N, 4, 8] in, s32 logits and s8 pooled features out."""
    b = Builder()
    x = b.linear("embed", "pixels", CHANNELS, CHANNELS, S16)
    token = b.random("class_token", (1, 1, CHANNELS), np.int16, -3000, 3000)
    x = b.node("join", ops.Concat(axis=1), b.node("token", ops.Expand(), token, "pixels"), x)
    position = b.random("position", (1, TOKENS + 1, CHANNELS), np.int16, -3000, 3000)
    add = ops.Add(multiplier_a=5 << 27, multiplier_b=7 << 26, shift=30, **full(S16))
    x = b.node("place", add, x, position)
    for i, (softmax, gelu) in enumerate([("polynomial", "table"), ("table", "polynomial")]):
        y = b.attention(f"{i}.attention", b.layer_norm(f"{i}.norm1", x), softmax)
        x = b.node(f"{i}.add1", add, x, y)
        y = b.feed_forward(f"{i}.mlp", b.layer_norm(f"{i}.norm2", x), gelu)
        x = b.node(f"{i}.add2", add, x, y)
    x = b.layer_norm("norm", x)
    first = b.node("first", ops.Slice(axis=1, start=0, end=1), x)
    logits = b.linear("logits", first, CHANNELS, CLASSES, S32)
    mean = b.node("mean", ops.Mean(axes=(1,), multiplier=(1 << 30) // 5, shift=28, **full(S16)), x)
    same = b.constant("half", np.array([1 << 29], np.int32))
    features = b.node("features", ops.Requantize(shift=30, input_zero_point=3, zero_point=-3, **full(S8)), mean, same)
    inputs = {"pixels": TensorType(U8, (1, TOKENS, CHANNELS), 0)}
    return Graph(inputs, (logits, features), b.constants, tuple(b.nodes))


def attention_inputs(batch=1):
    """Return pixels that are always the same."""
    return {"pixels": codes((batch, TOKENS, CHANNELS), np.uint8, seed="pixels")}
