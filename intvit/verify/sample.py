"""A random integer Vision Transformer of any size: what tests run, and what kernels are compiled for ahead of time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.ir import Graph, Node, Op, TensorType
from intvit.numerics import S8, S16, S32, U8, Dyadic, IntType
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.softmax_exp import TOP
from intvit.ops.softmax_octave import PRODUCT_SHIFT, octave
from intvit.ops.softmax_polynomial import CUBIC

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The size and the choices of a Vision Transformer.

    Attributes:
        grid: patches along a side.
        patch: pixels along a side of a patch.
        channels: width of the residual stream.
        heads: attention heads.
        depth: blocks.
        hidden: width of the MLPs.
        classes: outputs.
        tables: whether softmax and GELU are read from large tables, as in the recipe `tables`.
        wide: whether 16 bits lie in and behind the attention, in the MLPs of the class token, and in one more MLP and the head
            that it alone goes through.
    """

    grid: int = 3
    patch: int = 4
    channels: int = 24
    heads: int = 2
    depth: int = 2
    hidden: int = 40
    classes: int = 10
    tables: bool = False
    wide: bool = False

    @property
    def tokens(self) -> int:
        """The class token and the patches."""
        return self.grid * self.grid + 1


WIDE = 9000
"""About the standard deviation of 16-bit codes."""
FINER_BITS = 2
"""By how many bits queries, keys and values are finer in 16 bits than in 8."""
DEIT_TINY = Shape(grid=14, patch=16, channels=192, heads=3, depth=12, hidden=768, classes=1000)


def sample_vit(shape: Shape, seed: int = 0) -> Graph:
    """Return an integer Vision Transformer with random weights, laid out as `intvit.quantize` lays out DeiT.

    Args:
        shape: its size.
        seed: of the weights.

    Returns:
        A sound graph from `pixels` u8 [N, size, size, 3] to s32 [N, classes].
    """
    b = _Builder(np.random.default_rng(seed), shape)
    size, grid, patch = shape.grid * shape.patch, shape.grid, shape.patch
    x = b.add(ops.Reshape(shape=(-1, grid, patch, grid, patch, 3)), "pixels")
    x = b.add(ops.Transpose(perm=(0, 1, 3, 2, 4, 5)), x)
    x = b.add(ops.Reshape(shape=(-1, grid * grid, patch * patch * 3)), x)
    x = b.linear(x, patch * patch * 3, shape.channels, S16)
    token = b.rng.integers(-3000, 3000, (1, 1, shape.channels)).astype(np.int16)
    x = b.add(ops.Concat(axis=1), b.add(ops.Expand(), b.constant(token), "pixels"), x)
    positions = b.rng.integers(-9000, 9000, (1, shape.tokens, shape.channels)).astype(np.int16)
    x = b.residual(x, b.constant(positions))
    for _ in range(shape.depth):
        x = b.residual(x, b.attention(b.layer_norm(x)))
        x = b.residual(x, b.mlp(b.layer_norm(x)))
    x = b.add(ops.Slice(axis=1, start=0, end=1), x)
    if shape.wide:
        up = b.linear(b.layer_norm(x, S16), shape.channels, shape.hidden, S16, magnitude=WIDE)
        x = b.residual(x, b.linear(b.gelu(up, S16), shape.hidden, shape.channels, S16, magnitude=WIDE))
    x = b.add(ops.Reshape(shape=(-1, shape.channels)), b.layer_norm(x, S16 if shape.wide else U8))
    logits = b.linear(x, shape.channels, shape.classes, S32, spread=1e-3, magnitude=WIDE if shape.wide else 74)
    return Graph({"pixels": TensorType(U8, (1, size, size, 3), 0)}, (logits,), b.constants, tuple(b.nodes))


def _all_of(to: IntType) -> dict[str, Any]:
    return {"to": to, "low": to.low, "high": to.high}


@dataclass
class _Builder:
    rng: np.random.Generator
    shape: Shape
    constants: dict[str, Array] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def constant(self, array: Array) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = array
        return name

    def add_all(self, op: Op, *inputs: str) -> tuple[str, ...]:
        """Add a node and return the names of its outputs."""
        index = len(self.nodes)
        outputs = tuple(f"v{index}.{name}" for name in op.output_names)
        self.nodes.append(Node(f"n{index}", op, inputs, outputs))
        return outputs

    def add(self, op: Op, *inputs: str) -> str:
        """Add a node with one output and return its name."""
        (output,) = self.add_all(op, *inputs)
        return output

    def linear(
        self, x: str, depth: int, channels: int, to: IntType, spread: float = 1.0, magnitude: int = 74, limit: int = 0
    ) -> str:
        """Add a Linear whose outputs fill about `spread` of the type for random codes of the given standard deviation.

        A limit bounds the magnitude of the outputs.
        """
        low, high = (-limit, limit) if limit else (to.low, to.high)
        weight = self.rng.integers(-127, 128, (depth, channels)).astype(np.int8)
        dyadic = Dyadic.nearest(spread * (high - low) / 6 / (math.sqrt(depth) * 74 * magnitude))
        multiplier = self.rng.integers(dyadic.multiplier // 2, dyadic.multiplier, channels, endpoint=True)
        bias = -128 * weight.sum(0, dtype=np.int64) + self.rng.integers(-2000, 2000, channels)
        names = [self.constant(v) for v in (weight, bias.astype(np.int32), multiplier.astype(np.int32))]
        return self.add(ops.Linear(shift=dyadic.shift, to=to, low=low, high=high), x, *names)

    def layer_norm(self, x: str, to: IntType = U8) -> str:
        multiplier = self.rng.integers(-(1 << 20), 1 << 20, self.shape.channels).astype(np.int32)
        bias = self.rng.integers(-(1 << 36), 1 << 36, self.shape.channels)
        op = ops.LayerNorm(epsilon=1000, shift=34, zero_point=0 if to.signed else 128, **_all_of(to))
        return self.add(op, x, self.constant(multiplier), self.constant(bias))

    def residual(self, a: str, b: str) -> str:
        return self.add(ops.Add(multiplier_a=1 << 29, multiplier_b=1 << 28, shift=30, **_all_of(S16)), a, b)

    def attention(self, x: str) -> str:
        tokens, channels, heads = self.shape.tokens, self.shape.channels, self.shape.heads
        size = channels // heads
        split = self.add(ops.Reshape(shape=(-1, tokens, 3, heads, size)), self.operands(x))
        split = self.add(ops.Transpose(perm=(2, 0, 3, 1, 4)), split)
        q, k, v = (
            self.add(ops.Reshape(shape=(-1, heads, tokens, size)), self.add(ops.Slice(axis=0, start=i, end=i + 1), split))
            for i in range(3)
        )
        scores = self.add(ops.MatMul(), q, self.add(ops.Transpose(perm=(0, 1, 3, 2)), k))
        e, row_sum = self.softmax(scores)
        numerator = self.constant(self.rng.integers(1 << 30, 1 << 31, (1, heads, 1, 1)))
        to, zero_point, shift = (S16, 0, 23 + FINER_BITS) if self.shape.wide else (U8, 128, 30)
        divide = ops.SoftmaxDivide(shift=shift, zero_point=zero_point, **_all_of(to))
        mixed = self.add(divide, self.add(ops.MatMul(), e, v), row_sum, numerator)
        merged = self.add(ops.Transpose(perm=(0, 2, 1, 3)), mixed)
        merged = self.add(ops.Reshape(shape=(-1, tokens, channels)), merged)
        return self.linear(merged, channels, channels, S16, magnitude=WIDE if self.shape.wide else 74)

    def operands(self, x: str) -> str:
        """Add the Linear that makes queries, keys and values."""
        channels = self.shape.channels
        if not self.shape.wide:
            return self.linear(x, channels, 3 * channels, S8)
        return self.linear(x, channels, 3 * channels, S16, limit=S8.high << FINER_BITS)

    def softmax(self, scores: str) -> tuple[str, ...]:
        shift = 15 + 2 * FINER_BITS * self.shape.wide
        if self.shape.tables:
            table = np.sort(self.rng.integers(0, 256, 1024).astype(np.uint8))[::-1].copy()
            table[0] = TOP
            return self.add_all(ops.SoftmaxTable(shift=shift), scores, self.per_head(9), self.constant(table))
        if self.shape.wide:
            return self.add_all(ops.SoftmaxPolynomialWide(shift=shift, coefficients=CUBIC), scores, self.per_head(14))
        return self.add_all(ops.SoftmaxOctave(shift=PRODUCT_SHIFT), scores, self.per_head(13), self.constant(octave(TOP)))

    def per_head(self, bits: int) -> str:
        """Return a multiplier of more than so many bits, up to two more, for each head."""
        return self.constant(self.rng.integers(1 << bits, 4 << bits, (1, self.shape.heads, 1, 1)).astype(np.int32))

    def mlp(self, x: str) -> str:
        channels, hidden, tokens = self.shape.channels, self.shape.hidden, self.shape.tokens
        up = self.linear(x, channels, hidden, S16)
        if not self.shape.wide:
            return self.linear(self.gelu(up, U8), hidden, channels, S16)
        first, others = (self.add(ops.Slice(axis=1, start=a, end=b), up) for a, b in ((0, 1), (1, tokens)))
        token = self.linear(self.gelu(first, S16), hidden, channels, S16, magnitude=WIDE)
        return self.add(ops.Concat(axis=1), token, self.linear(self.gelu(others, U8), hidden, channels, S16))

    def gelu(self, x: str, to: IntType) -> str:
        as_bytes = not self.shape.tables and not to.signed
        bits, shift = (12, 24) if as_bytes else (29, 34 if to.signed else 41)
        numbers = {"fraction_bits": 12, "shift": shift, "zero_point": 0 if to.signed else 10, **_all_of(to)}
        multiplier = self.constant(self.rng.integers(1 << bits, 2 << bits, self.shape.hidden).astype(np.int32))
        if as_bytes:
            table = self.constant((self.rng.integers(0, 175, 256) << 5).astype(np.int16))
            return self.add(ops.GeluTable(index_shift=6, **numbers), x, multiplier, table)
        if self.shape.tables:
            table = self.constant(self.rng.integers(0, 5600, 4 << 10).astype(np.int16))
            return self.add(ops.GeluTable(index_shift=2, **numbers), x, multiplier, table)
        return self.add(ops.GeluPolynomial(coefficients=DEGREE_8, **numbers), x, multiplier)
