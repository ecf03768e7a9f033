"""A random integer Vision Transformer of any size, shaped like DeiT."""

import math
from dataclasses import dataclass, field

import numpy as np

from intvit import ops
from intvit.ir import Graph, Node, TensorType
from intvit.numerics import S8, S16, S32, U8, Dyadic
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.softmax_polynomial import CUBIC


def clip_range(to):
    return {"to": to, "low": to.low, "high": to.high}


@dataclass
class Builder:
    rng: np.random.Generator
    constants: dict = field(default_factory=dict)
    nodes: list = field(default_factory=list)

    def constant(self, array):
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def add(self, op, *inputs):
        index = len(self.nodes)
        outputs = tuple(f"v{index}.{name}" for name in op.output_names)
        self.nodes.append(Node(f"n{index}", op, inputs, outputs))
        return outputs[0] if len(outputs) == 1 else outputs

    def linear(self, x, depth, channels, to, zero_point=0, spread=1.0):
        """A Linear whose outputs fill about `spread` of the type for uniformly random u8 codes."""
        weight = self.rng.integers(-127, 128, (depth, channels)).astype(np.int8)
        scale = spread * (to.high - to.low) / 6 / (math.sqrt(depth) * 74 * 74)
        dyadic = Dyadic.nearest(scale)
        multiplier = self.rng.integers(dyadic.multiplier // 2, dyadic.multiplier, channels, endpoint=True)
        bias = -128 * weight.sum(0, dtype=np.int64) + self.rng.integers(-2000, 2000, channels)
        op = ops.Linear(shift=dyadic.shift, zero_point=zero_point, **clip_range(to))
        names = [self.constant(v) for v in (weight, bias.astype(np.int32), multiplier.astype(np.int32))]
        return self.add(op, x, *names)

    def layer_norm(self, x, channels):
        multiplier = self.rng.integers(-(1 << 20), 1 << 20, channels).astype(np.int32)
        bias = self.rng.integers(-(1 << 36), 1 << 36, channels)
        op = ops.LayerNorm(epsilon=1000, shift=34, zero_point=128, **clip_range(U8))
        return self.add(op, x, self.constant(multiplier), self.constant(bias))

    def residual(self, a, b):
        return self.add(ops.Add(multiplier_a=1 << 29, multiplier_b=1 << 28, shift=30, **clip_range(S16)), a, b)

    def attention(self, x, tokens, channels, heads):
        size = channels // heads
        qkv = self.linear(x, channels, 3 * channels, S8)
        split = self.add(ops.Reshape(shape=(-1, tokens, 3, heads, size)), qkv)
        split = self.add(ops.Transpose(perm=(2, 0, 3, 1, 4)), split)
        q, k, v = (
            self.add(ops.Reshape(shape=(-1, heads, tokens, size)), self.add(ops.Slice(axis=0, start=i, end=i + 1), split))
            for i in range(3)
        )
        scores = self.add(ops.MatMul(), q, self.add(ops.Transpose(perm=(0, 1, 3, 2)), k))
        per_head = self.rng.integers(1 << 14, 1 << 16, (1, heads, 1, 1)).astype(np.int32)
        e, row_sum = self.add(ops.SoftmaxPolynomial(shift=15, coefficients=CUBIC), scores, self.constant(per_head))
        numerator = self.rng.integers(1 << 30, 1 << 31, (1, heads, 1, 1))
        divide = ops.SoftmaxDivide(shift=30, zero_point=128, **clip_range(U8))
        mixed = self.add(divide, self.add(ops.MatMul(), e, v), row_sum, self.constant(numerator))
        merged = self.add(ops.Transpose(perm=(0, 2, 1, 3)), mixed)
        return self.linear(self.add(ops.Reshape(shape=(-1, tokens, channels)), merged), channels, channels, S16)

    def mlp(self, x, channels, hidden):
        up = self.linear(x, channels, hidden, S16)
        multiplier = self.rng.integers(1 << 29, 1 << 30, hidden).astype(np.int32)
        gelu = ops.GeluPolynomial(coefficients=DEGREE_8, fraction_bits=12, shift=41, zero_point=10, **clip_range(U8))
        return self.linear(self.add(gelu, up, self.constant(multiplier)), hidden, channels, S16)


def make_vit(seed=0, grid=3, patch=4, channels=24, heads=2, depth=2, hidden=40, classes=10):
    b = Builder(np.random.default_rng(seed))
    size, tokens = grid * patch, grid * grid + 1
    x = self_pixels = "pixels"
    x = b.add(ops.Reshape(shape=(-1, grid, patch, grid, patch, 3)), x)
    x = b.add(ops.Transpose(perm=(0, 1, 3, 2, 4, 5)), x)
    x = b.add(ops.Reshape(shape=(-1, grid * grid, patch * patch * 3)), x)
    x = b.linear(x, patch * patch * 3, channels, S16)
    token = b.rng.integers(-3000, 3000, (1, 1, channels)).astype(np.int16)
    x = b.add(ops.Concat(axis=1), b.add(ops.Expand(), b.constant(token), self_pixels), x)
    x = b.residual(x, b.constant(b.rng.integers(-9000, 9000, (1, tokens, channels)).astype(np.int16)))
    for _ in range(depth):
        x = b.residual(x, b.attention(b.layer_norm(x, channels), tokens, channels, heads))
        x = b.residual(x, b.mlp(b.layer_norm(x, channels), channels, hidden))
    x = b.layer_norm(b.add(ops.Slice(axis=1, start=0, end=1), x), channels)
    x = b.add(ops.Reshape(shape=(-1, channels)), x)
    logits = b.linear(x, channels, classes, S32, spread=1e-3)
    inputs = {"pixels": TensorType(U8, (1, size, size, 3), 0)}
    return Graph(inputs, (logits,), b.constants, tuple(b.nodes))


def deit_tiny():
    return make_vit(grid=14, patch=16, channels=192, heads=3, depth=12, hidden=768, classes=1000)


def walk(graph, inputs):
    """Compute every value with the operators' references."""
    values = {**graph.constants, **inputs}
    for node in graph.nodes:
        outputs = node.op.reference(*(values[name] for name in node.inputs))
        values.update(zip(node.outputs, outputs, strict=True))
    return values
