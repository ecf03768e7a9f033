"""At least one fixed case for every operator, typical and extreme; the first of each is its golden case."""

import math
import zlib
from dataclasses import dataclass

import numpy as np
from helpers.attention import bump_table, exp_table
from helpers.codes import codes
from helpers.graphs import full, op_graph
from helpers.softmax import shiftmax, softmax_bit, softmax_i_bert

from intvit import ops
from intvit.ir import Graph
from intvit.numerics import S8, S16, S32, U8, U16
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.softmax_octave import octave
from intvit.ops.softmax_polynomial import CHORD, CUBIC, QUADRATIC

TOP_MULTIPLIER = (1 << 31) - 1


@dataclass(frozen=True)
class OpCase:
    """A graph whose last node is the operator under test, with inputs for it."""

    name: str
    graph: Graph
    inputs: dict

    @property
    def kind(self):
        return self.graph.nodes[-1].op.kind()


def case(name, op, activations, constants=None, batch=1, **more):
    return OpCase(f"{op.kind()}-{name}", op_graph(op, activations, constants, batch, **more), activations)


def i32(*values):
    return np.array(values, np.int32)


def random(name, shape, dtype, low=None, high=None):
    return codes(shape, dtype, low, high, seed=zlib.crc32(name.encode()))


def linear_cases():
    def make(name, op, x, weight, bias=None, multiplier=None, batch=1):
        channels = weight.shape[1]
        bias = np.zeros(channels, np.int32) if bias is None else bias
        multiplier = np.full(channels, 1 << 24, np.int32) if multiplier is None else multiplier
        return case(name, op, {"x": x}, {"weight": weight, "bias": bias, "multiplier": multiplier}, batch)

    for kind in (np.uint8, np.int8, np.int16):
        x, w = random("x", (3, 5, 7), kind), random("w", (7, 9), np.int8)
        bias, multiplier = random("b", (9,), np.int32, -(1 << 20), 1 << 20), random("m", (9,), np.int32, 1, 1 << 30)
        yield make(f"typical-{x.dtype}", ops.Linear(shift=42, zero_point=-3, **full(S8)), x, w, bias, multiplier, 3)
    ties = random("ties", (2, 8), np.int8, -8, 8)
    yield make("ties-shift-2", ops.Linear(shift=2, **full(S16)), ties, np.eye(8, dtype=np.int8), None, i32(*range(-3, 5)), 2)
    ones = np.full((4, 6), -128, np.int8)
    op = ops.Linear(shift=62, **full(S32))
    multiplier = i32(0, 1, -1, 1 << 30, -(1 << 30), TOP_MULTIPLIER)
    yield make("all-minimum-shift-62", op, np.full((1, 4), -128, np.int8), ones, None, multiplier)
    limits = i32(-(1 << 31) + 4 * 255 * 128, (1 << 31) - 1, 0, 5, -5, 7)
    op = ops.Linear(shift=31, **full(U8, zero_point=128))
    yield make("bias-at-the-limit", op, np.full((1, 4), 255, np.uint8), ones, limits, np.full(6, 1 << 28, np.int32))
    weight = random("wide", (512, 3), np.int8)
    yield make("s16-depth-512", ops.Linear(shift=40, **full(S32)), random("wx", (2, 512), np.int16), weight, batch=2)
    weight = random("finer", (384, 19), np.int16, -511, 511)
    yield make("s16-weights", ops.Linear(shift=44, **full(S16)), random("fx", (2, 3, 384), np.uint8), weight, batch=2)
    column, row = np.array([[-32768], [32767], [5]], np.int16), np.array([[-32768, 32767, 7]], np.int16)
    yield make("s16-both", ops.Linear(shift=50, **full(S32)), column, row, batch=3)
    op = ops.Linear(shift=38, to=U16, low=1000, high=60000, zero_point=30000)
    yield make("tokens-197", op, random("t", (1, 197, 65), np.uint8), random("tw", (65, 67), np.int8))
    op, weight = ops.Linear(shift=33, **full(S8)), random("four", (65, 33), np.int8, -8, 7)
    yield make("four-bit-weights", op, random("fx", (2, 7, 65), np.uint8), weight, batch=2)
    op = ops.Linear(shift=20, to=S32, low=-(1 << 20), high=1 << 20)
    yield make("one-by-one", op, random("o", (1, 1, 1, 1), np.int8), np.array([[-128]], np.int8), batch=1)


def matmul_cases():
    for kind in (np.uint8, np.int8, np.int16):
        a, b = random("a", (3, 2, 5, 7), kind), random("b", (3, 2, 7, 9), np.int8)
        yield case(f"heads-{a.dtype}", ops.MatMul(), {"a": a, "b": b}, batch=3)
    low, high = np.full((1, 2, 130), -128, np.int8), np.full((1, 130, 3), -128, np.int8)
    yield case("all-minimum", ops.MatMul(), {"a": low, "b": high})
    top = np.full((1, 1, 33), 255, np.uint8)
    yield case("all-maximum", ops.MatMul(), {"a": top, "b": np.full((1, 33, 1), 127, np.int8)})
    yield case("zero", ops.MatMul(), {"a": np.zeros((1, 4, 1), np.int8), "b": random("z", (1, 1, 5), np.int8)})
    a, b = random("ta", (1, 1, 197, 197), np.uint8), random("tb", (1, 1, 197, 16), np.int8)
    yield case("tokens-197", ops.MatMul(), {"a": a, "b": b})
    yield case("rank-2", ops.MatMul(), {"a": a[0, 0, :3], "b": b[0, 0]}, batch_axis=None)
    low, high = np.full((1, 2, 7, 511), -32768, np.int16), np.full((1, 2, 511, 3), -128, np.int8)
    yield case("s16-all-minimum", ops.MatMul(), {"a": low, "b": high})
    yield case("s16-tokens-197", ops.MatMul(), {"a": random("wa", (1, 1, 197, 197), np.int16), "b": b})
    for kind in (np.uint8, np.int8):
        a, b = random("a", (3, 2, 5, 7), kind), random("wb", (3, 2, 7, 9), np.int16)
        yield case(f"s16-right-{a.dtype}", ops.MatMul(), {"a": a, "b": b}, batch=3)
    column, row = random("column", (2, 5, 1), np.int16), random("row", (2, 1, 70), np.int16)
    column[0, :2, 0] = row[0, 0, :2] = -32768, 32767
    yield case("s16-both", ops.MatMul(), {"a": column, "b": row}, batch=2)


def add_cases():
    def make(name, op, a, b, constant=False, batch=1):
        activations = {"a": a} if constant else {"a": a, "b": b}
        return case(name, op, activations, {"b": b} if constant else {}, batch)

    a, b = random("a", (3, 4, 5), np.int16), random("b", (3, 4, 5), np.int16)
    typical = ops.Add(multiplier_a=3 << 28, multiplier_b=5 << 26, shift=30, **full(S16))
    yield make("residual", typical, a, b, batch=3)
    yield make("constant", typical, a, random("c", (1, 4, 5), np.int16), constant=True, batch=3)
    yield make("channels", typical, a, random("d", (5,), np.int8), constant=True, batch=3)
    yield make("scalar", typical, a, np.array([-77], np.int32), constant=True, batch=3)
    op = ops.Add(multiplier_a=1, multiplier_b=1, shift=2, **full(S32))
    yield make("ties-shift-2", op, random("e", (1, 33), np.int8), random("f", (1, 33), np.int8))
    op = ops.Add(multiplier_a=TOP_MULTIPLIER, multiplier_b=0, shift=62, zero_point=1, **full(U8))
    yield make("shift-62", op, random("g", (1, 2, 3, 4), np.int16), random("h", (1, 2, 3, 4), np.uint8))
    op = ops.Add(multiplier_a=TOP_MULTIPLIER, multiplier_b=TOP_MULTIPLIER, shift=31, to=S8, low=-7, high=9)
    yield make("narrow-clip", op, random("i", (1, 7), np.int16), random("j", (1, 7), np.int16))


def layer_norm_cases():
    def make(name, op, x, multiplier=None, bias=None, batch=1, limits=None):
        channels = x.shape[-1]
        multiplier = np.full(channels, 1 << 29, np.int32) if multiplier is None else multiplier
        bias = np.zeros(channels, np.int64) if bias is None else bias
        limits = {"x": limits} if limits else {}
        return case(name, op, {"x": x}, {"multiplier": multiplier, "bias": bias}, batch, limits=limits)

    op = ops.LayerNorm(epsilon=7, shift=44, zero_point=5, **full(S8))
    gamma, beta = random("g", (13,), np.int32, -(1 << 30), 1 << 30), random("b", (13,), np.int64, -(1 << 49), 1 << 49)
    yield make("typical", op, random("x", (3, 5, 13), np.int16), gamma, beta, 3)
    constant = np.repeat(i32(-32768, 0, 32767, 1).astype(np.int16).reshape(1, 4, 1), 6, axis=2)
    yield make("constant-rows", op, constant, i32(0, -1, 1, TOP_MULTIPLIER, -(1 << 31), 5))
    one_hot = np.where(np.eye(9, dtype=bool), 32767, -32768).astype(np.int16).reshape(1, 9, 9)
    yield make("one-hot-rows", op, one_hot, random("h", (9,), np.int32))
    nearly = np.eye(8, dtype=np.int16).reshape(1, 8, 8)
    unit = ops.LayerNorm(epsilon=1, shift=2, **full(S32))
    yield make("nearly-constant", unit, nearly, np.full(8, 4, np.int32))
    yield make("gamma-zero", op, random("z", (1, 3, 4), np.int16), np.zeros(4, np.int32), np.full(4, 3 << 43, np.int64))
    wide = ops.LayerNorm(epsilon=1 << 50, shift=62, **full(S16))
    yield make("epsilon-large-shift-62", wide, random("w", (2, 65), np.int16), batch=2)
    yield make("one-channel", op, random("o", (1, 5, 1), np.int16))
    yield make("s8-input", op, random("s", (1, 2, 3, 4), np.int8))
    alternating = np.resize(np.array([-32768, 32767], np.int16), (1, 197, 192))
    yield make("tokens-197", op, alternating)
    limit = (1 << 20) - 1
    yield make("s32-input", op, random("i", (1, 4, 10), np.int32, -limit, limit), limits=(-limit, limit))


def layer_norm_newton_cases():
    def make(name, op, x, multiplier=None, bias=None, batch=1, limits=None):
        channels = x.shape[-1]
        multiplier = np.full(channels, 1 << 29, np.int32) if multiplier is None else multiplier
        bias = np.zeros(channels, np.int64) if bias is None else bias
        limits = {"x": limits} if limits else {}
        return case(name, op, {"x": x}, {"multiplier": multiplier, "bias": bias}, batch, limits=limits)

    op = ops.LayerNormNewton(shift=54, zero_point=5, **full(S8))
    gamma, beta = random("g", (13,), np.int32, -(1 << 30), 1 << 30), random("b", (13,), np.int64, -(1 << 59), 1 << 59)
    yield make("typical", op, random("x", (3, 5, 13), np.int16), gamma, beta, 3)
    constant = np.repeat(i32(-32768, 0, 32767, 1).astype(np.int16).reshape(1, 4, 1), 6, axis=2)
    yield make("constant-rows", op, constant, i32(0, -1, 1, TOP_MULTIPLIER, -(1 << 31), 5))
    one_hot = np.where(np.eye(9, dtype=bool), 32767, -32768).astype(np.int16).reshape(1, 9, 9)
    yield make("one-hot-rows", op, one_hot, random("h", (9,), np.int32))
    unit = ops.LayerNormNewton(shift=2, **full(S32))
    yield make("nearly-constant", unit, np.eye(8, dtype=np.int16).reshape(1, 8, 8), np.full(8, 4, np.int32))
    halves = np.array([[[0, 1], [1, 2], [-1, 0], [-2, -1], [-3, 0], [3, 0]]], np.int16)
    yield make("means-that-are-ties", unit, halves, np.full(2, 4, np.int32))
    yield make("gamma-zero", op, random("z", (1, 3, 4), np.int16), np.zeros(4, np.int32), np.full(4, 3 << 53, np.int64))
    yield make("shift-62", ops.LayerNormNewton(shift=62, **full(S16)), random("w", (2, 65), np.int16), batch=2)
    yield make("one-channel", op, random("o", (1, 5, 1), np.int16))
    yield make("s8-input", op, random("s", (1, 2, 3, 4), np.int8))
    yield make("tokens-197", op, np.resize(np.array([-32768, 32767], np.int16), (1, 197, 192)))
    limit = (1 << 27) - 1
    yield make("s32-input", op, random("i", (1, 4, 10), np.int32, -limit, limit), limits=(-limit, limit))


def scores(name, shape, limit=2000):
    x = random(name, shape, np.int32, -limit, limit)
    x[..., 0, :] = 17
    return x


def softmax_cases(make):
    yield make("typical", scores("x", (3, 2, 4, 7)), i32(3 << 20, 5 << 20).reshape(2, 1, 1), 16, 3)
    hot = np.full((1, 5, 5), -(1 << 31), np.int32)
    np.fill_diagonal(hot[0], (1 << 31) - 1)
    yield make("one-hot-extremes", hot, i32(1 << 29), 40, 1)
    yield make("all-equal", np.full((1, 3, 9), -(1 << 31), np.int32), i32(1 << 28), 62, 1)
    yield make("ties-shift-2", random("t", (1, 6, 11), np.int32, -300, 300), i32(1), 2, 1)
    yield make("zero-multiplier", scores("z", (1, 3, 5)), i32(0), 30, 1)
    yield make("one-column", scores("o", (2, 3, 1)), i32(1 << 20), 20, 2)
    yield make("tokens-197", scores("w", (1, 1, 197, 197), 9000), i32(1 << 24).reshape(1, 1, 1), 21, 1)
    far = -1024 * i32(0, 1, 2, 3, 4, 5, 6, 7).reshape(1, 1, 8)
    yield make("distance-beyond-32-bits", far, i32(3 << 19), 2, 1)
    yield make("rank-2", scores("r", (4, 6)), i32(9 << 20), 18, 4)


def softmax_polynomial_cases(kind=ops.SoftmaxPolynomial):
    for label, coefficients in (("cubic", CUBIC), ("quadratic", QUADRATIC), ("chord", CHORD)):

        def make(name, x, multiplier, shift, batch, c=coefficients, label=label):
            op = kind(shift=shift, coefficients=c)
            return case(f"{label}-{name}", op, {"x": x}, {"multiplier": multiplier}, batch)

        for number, made in enumerate(softmax_cases(make)):
            if label == "cubic" or number < 2:
                yield made


def softmax_table_cases():
    def make(name, x, multiplier, shift, batch, table=None):
        table = exp_table() if table is None else table
        return case(name, ops.SoftmaxTable(shift=shift), {"x": x}, {"multiplier": multiplier, "table": table}, batch)

    yield from softmax_cases(make)
    yield make("two-entries", scores("e", (1, 3, 6)), i32(1), 2, 1, np.array([255, 0], np.uint8))


def softmax_octave_cases():
    def make(name, x, multiplier, shift, batch, top=255):
        op, constants = ops.SoftmaxOctave(shift=shift), {"multiplier": multiplier, "table": octave(top)}
        return case(name, op, {"x": x}, constants, batch)

    yield from softmax_cases(make)
    for top in (1, 63, 255):
        yield make(f"shift-22-top-{top}", scores(f"v{top}", (1, 2, 6, 197), 30000), i32(39321), 22, 1, top)
    flat = case("flat-table", ops.SoftmaxOctave(shift=22), {"x": scores("f", (1, 3, 40))}, {
        "multiplier": i32(1 << 18), "table": np.full(64, 4080, np.int16),
    })  # fmt: skip
    yield flat


def normalized_softmax_cases(make):
    yield make("typical", random("x", (3, 2, 4, 7), np.int8), 0.06, 3)
    yield make("s16", random("y", (2, 3, 9), np.int16, -9000, 9000), 0.001, 2)
    yield make("8-bits", random("z", (1, 5, 6), np.int8), 0.1, 1, bits=8, to=S8)
    yield make("15-bits", random("u", (1, 3, 40), np.int8), 0.02, 1, bits=15)
    hot = np.where(np.eye(5, dtype=bool), 127, -128).astype(np.int8).reshape(1, 5, 5)
    yield make("one-hot-extremes", hot, 0.05, 1)
    yield make("s16-extremes", hot.astype(np.int16) * 256, 0.0005, 1)
    yield make("all-equal", np.full((1, 3, 9), -128, np.int8), 0.3, 1)
    yield make("one-column", random("o", (2, 3, 1), np.int8), 0.05, 2)
    yield make("coarse-scale", random("c", (1, 2, 9), np.int8), 3.0, 1)
    yield make("tokens-197", random("w", (1, 1, 197, 197), np.int8), 0.04, 1)
    yield make("tokens-577-even", np.zeros((1, 2, 577), np.int8), 0.002, 1)
    yield make("rank-2", random("r", (4, 6), np.int8), 0.08, 4)


def shiftmax_cases():
    def make(name, x, scale, batch, **more):
        return case(name, shiftmax(scale, **more), {"x": x}, batch=batch)

    yield from normalized_softmax_cases(make)
    yield make("n-16", random("n", (1, 3, 8), np.int8), 0.07, 1, bits=8, to=S8, n=16)
    yield make("sum-beyond-31-bits", np.zeros((1, 2, 50), np.int8), 1 / 2000, 1, n=16)
    yield make("largest-exponential", np.zeros((1, 1, 3), np.int8), 1 / 65534.5, 1)


def softmax_bit_cases():
    def make(name, x, scale, batch, **more):
        return case(name, softmax_bit(scale, **more), {"x": x}, batch=batch)

    yield from normalized_softmax_cases(make)
    for nearest, numerator_bits in ((0, 28), (0, 24), (1, 24)):
        more = {"nearest": nearest, "numerator_bits": numerator_bits}
        yield make(f"nearest-{nearest}-{numerator_bits}", random("n", (1, 3, 30), np.int8), 0.03, 1, **more)
    yield make("sum-beyond-the-numerator", np.zeros((1, 2, 9), np.int8), 0.05, 1, numerator_bits=18)
    yield make("largest-step", random("l", (1, 3, 8), np.int16), 32767.5, 1)


def softmax_i_bert_cases():
    def make(name, x, scale, batch, **more):
        return case(name, softmax_i_bert(scale, **more), {"x": x}, batch=batch)

    yield from normalized_softmax_cases(make)
    yield make("largest-parabola", random("p", (1, 3, 8), np.int16), 1 / 27700, 1)


def softmax_divide_cases():
    def make(name, op, x, row_sum, numerator, batch=1, limits=None):
        top = int(row_sum.max())
        limits = {"row_sum": (255, max(top, 255 * 4))} | ({"x": limits} if limits else {})
        return case(name, op, {"x": x, "row_sum": row_sum}, {"numerator": numerator}, batch, limits=limits)

    x, sums = random("x", (3, 2, 4, 5), np.int32, -90000, 90000), random("s", (3, 2, 4, 1), np.int32, 255, 1500)
    op = ops.SoftmaxDivide(shift=37, zero_point=4, **full(S8))
    yield make("heads", op, x, sums, np.array([1 << 36, 3 << 35], np.int64).reshape(2, 1, 1), 3, (-90000, 90000))
    op = ops.SoftmaxDivide(shift=30, **full(U8))
    e, sums = random("e", (1, 4, 9), np.uint8), random("t", (1, 4, 1), np.int32, 255, 9 * 255)
    yield make("probabilities-u8", op, e, sums, np.array([255 << 30], np.int64))
    top = ((1 << 31) - 1) * 255
    op = ops.SoftmaxDivide(shift=62, **full(S16))
    yield make("largest-numerator-shift-62", op, e, np.full((1, 4, 1), 255, np.int32), np.array([top], np.int64))
    op = ops.SoftmaxDivide(shift=2, **full(S32))
    yield make("ties-shift-2", op, e, np.full((1, 4, 1), 256, np.int32), np.array([256], np.int64))
    yield make("zero-numerator", op, e, sums, np.array([0], np.int64))
    long = random("l", (1, 197, 64), np.int32, -6000000, 6000000)
    op = ops.SoftmaxDivide(shift=40, **full(S8))
    row = random("r", (1, 197, 1), np.int32, 255, 197 * 255)
    yield make("tokens-197", op, long, row, np.array([1 << 38], np.int64), limits=(-6000000, 6000000))


def gelu_cases(make):
    full_range = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16).reshape(1, 1024, 64)
    yield make("typical", random("x", (3, 5, 7), np.int16), random("m", (7,), np.int32, 0, 1 << 30), 12, 35, 3, S8)
    yield make("whole-range", full_range, i32(4), 12, 2, 1, S32)
    for fraction_bits in (0, 5, 13):
        x = random("y", (1, 3, 9), np.int16)
        yield make(f"fraction-bits-{fraction_bits}", x, i32(1 << 28), fraction_bits, 40, 1, U8, 10)
    yield make("shift-62", random("z", (2, 11), np.int16), i32(TOP_MULTIPLIER), 8, 62, 2, S16)
    yield make("ties-shift-2", random("t", (1, 2, 3, 4), np.int16), i32(0, 1, 2, 3), 13, 2, 1, S16)
    yield make("tokens-197", random("w", (1, 197, 33), np.int16), random("v", (33,), np.int32, 0, 1 << 29), 9, 36, 1, S8)


def gelu_polynomial_cases():
    def make(name, x, multiplier, fraction_bits, shift, batch, to, zero_point=0):
        output = full(to, zero_point=zero_point)
        op = ops.GeluPolynomial(fraction_bits=fraction_bits, shift=shift, coefficients=DEGREE_8, **output)
        return case(name, op, {"x": x}, {"multiplier": multiplier}, batch)

    yield from gelu_cases(make)


def gelu_table_cases():
    def make(name, x, multiplier, fraction_bits, shift, batch, to, zero_point=0):
        index_shift = max(0, fraction_bits - 10)
        output = full(to, zero_point=zero_point)
        op = ops.GeluTable(fraction_bits=fraction_bits, shift=shift, index_shift=index_shift, **output)
        table = bump_table(fraction_bits, index_shift)
        return case(name, op, {"x": x}, {"multiplier": multiplier, "table": table}, batch)

    yield from gelu_cases(make)
    for fraction_bits in (7, 10, 13):
        table = bump_table(fraction_bits, fraction_bits - 6) & -(1 << (15 - min(fraction_bits, 10)))
        op = ops.GeluTable(
            fraction_bits=fraction_bits, index_shift=fraction_bits - 6, shift=34 - fraction_bits, **full(U8, zero_point=9)
        )
        x, multiplier = random(f"b{fraction_bits}", (2, 9, 70), np.int16), random("n", (70,), np.int32, 0, 1 << 12)
        yield case(f"bytes-{fraction_bits}", op, {"x": x}, {"multiplier": multiplier, "table": table}, 2)


def gelu_shift_cases():
    def make(name, x, multiplier, unit, shift, batch=1, n=23, to=S8, zero_point=0):
        op = ops.GeluShift(unit=unit, n=n, shift=shift, **full(to, zero_point=zero_point))
        return case(name, op, {"x": x}, {"multiplier": multiplier}, batch)

    yield make("typical", random("x", (3, 5, 7), np.int8), random("m", (7,), np.int32, 0, 1 << 30), 9, 40, 3, zero_point=3)
    codes_8 = np.arange(-128, 128, dtype=np.int16).astype(np.int8)
    yield make("whole-range", codes_8.reshape(1, 1, 256), i32(4), 12, 2, to=S32)
    below = np.minimum(codes_8.reshape(1, 1, 256), codes_8[::17].reshape(1, 16, 1))
    yield make("every-maximum", below, i32(4), 7, 2, to=S32)
    yield make("far-below-zero", below[:, :4], i32(4), 1, 2, to=S32)
    for unit, n in ((1, 0), (1, 31), (127, 15), (128, 23), (600, 23)):
        yield make(f"unit-{unit}-n-{n}", below, i32(1 << 20), unit, 30, n=n, to=U8, zero_point=10)
    yield make("largest-unit", random("u", (2, 2, 9), np.int8), i32(1 << 20), 1 << 20, 30, 2, n=23, to=S16)
    yield make("shift-62", random("z", (2, 11), np.int8), i32(TOP_MULTIPLIER), 5, 62, 2, to=S16)
    wide = random("w", (1, 197, 33), np.int8)
    yield make("tokens-197", wide, random("v", (33,), np.int32, 0, 1 << 29), 11, 36)


def gelu_erf_cases():
    def make(name, x, multiplier, shift, batch=1, to=S8, zero_point=0, **numbers):
        op = ops.GeluErf(shift=shift, **numbers, **full(to, zero_point=zero_point))
        return case(name, op, {"x": x}, {"multiplier": multiplier}, batch)

    all_16 = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16).reshape(1, 1024, 64)
    quartic = {"power": 4, "knee": 15629, "one": 27456, "erf_shift": 41}
    square = {"power": 2, "knee": 10247, "one": 28365, "erf_shift": 12}
    factors = random("m", (7,), np.int32, 0, 1 << 30)
    yield make("typical", random("x", (3, 5, 7), np.int16), factors, 45, 3, zero_point=3, **quartic)
    yield make("square", random("x", (3, 5, 7), np.int16), factors, 45, 3, **square)
    yield make("whole-range", all_16, i32(4), 2, to=S32, **quartic)
    yield make("whole-range-square", all_16, i32(4), 2, to=S32, **square)
    codes_8 = np.arange(-128, 128, dtype=np.int16).astype(np.int8).reshape(1, 256)
    yield make("s8", codes_8, i32(1 << 20), 30, to=S16, power=4, knee=50, one=5923000, erf_shift=0)
    yield make("s8-square", codes_8, i32(4), 2, to=S32, power=2, knee=50, one=2770, erf_shift=0)
    yield make("no-power", codes_8, i32(4), 2, to=S32, power=4, knee=1, one=1, erf_shift=62)
    yield make("largest-power", all_16[:, :9], i32(1 << 20), 62, to=S16, power=4, knee=1 << 15, one=1 << 15, erf_shift=45)
    yield make("largest-square", codes_8, i32(1 << 20), 62, to=S16, power=2, knee=1 << 30, one=1, erf_shift=40)
    wide = random("w", (1, 197, 33), np.int16)
    yield make("tokens-197", wide, random("v", (33,), np.int32, 0, 1 << 29), 50, to=U8, **quartic)


def mean_cases():
    def make(name, op, x, batch=1):
        return case(name, op, {"x": x}, batch=batch)

    op = ops.Mean(axes=(1,), multiplier=(1 << 30) // 5, shift=30, **full(S16))
    yield make("tokens", op, random("x", (3, 5, 7), np.int16), 3)
    op = ops.Mean(axes=(2, 1), multiplier=TOP_MULTIPLIER, shift=36, zero_point=-9, **full(U8))
    yield make("image", op, random("y", (2, 3, 5, 4), np.uint8), 2)
    yield make("minimum", op, np.full((1, 3, 5, 4), -32768, np.int16))
    op = ops.Mean(axes=(1,), multiplier=1, shift=2, **full(S32))
    yield make("ties-shift-2", op, random("t", (1, 3, 20), np.int8, -4, 4))
    op = ops.Mean(axes=(2,), multiplier=TOP_MULTIPLIER, shift=62, **full(S8))
    yield make("last-axis-shift-62", op, random("l", (1, 2, 9), np.int16))
    op = ops.Mean(axes=(1,), multiplier=(1 << 38) // 197, shift=38, **full(S8))
    yield make("tokens-197", op, random("w", (1, 197, 6), np.int16))


def requantize_cases():
    def make(name, op, x, multiplier, batch=1):
        return case(name, op, {"x": x}, {"multiplier": multiplier}, batch)

    op = ops.Requantize(shift=38, zero_point=3, input_zero_point=-11, **full(S8))
    x = random("x", (3, 5, 7), np.int32, -(1 << 20), 1 << 20)
    yield make("per-channel", op, x, random("m", (7,), np.int32, 0, 1 << 27), 3)
    yield make("per-tensor", op, x, i32(1 << 26), 3)
    yield make("per-token", op, x, random("k", (5, 1), np.int32, 0, 1 << 27), 3)
    yield make("full-shape", op, x[:1], random("f", (1, 5, 7), np.int32, 0, 1 << 27))
    extremes = i32(-(1 << 31), (1 << 31) - 1, 0, -1, 1, 2, -2).reshape(1, 7)
    yield make("ties-shift-2", ops.Requantize(shift=2, **full(S32)), extremes, i32(1))
    shift_62 = ops.Requantize(shift=62, **full(S16))
    yield make("shift-62", shift_62, extremes, i32(0, 1 << 29, 1, 2, 3, 1 << 28, 5))
    top = ops.Requantize(shift=16, **full(U16, zero_point=32768))
    yield make("top-multiplier", top, random("u", (1, 2, 3, 4), np.int16), i32(TOP_MULTIPLIER))
    beyond = i32(0, 1, -1, 2, -2, 3, -3, 4, -4).reshape(1, 9)
    clip = ops.Requantize(shift=2, **full(S8))
    yield make("clip-beyond-32-bits", clip, beyond * (1 << 28), i32(3 << 3))
    same = ops.Requantize(shift=2, input_zero_point=128, **full(S8))
    yield make("u8-to-s8", same, np.arange(256, dtype=np.uint8).reshape(1, 256), i32(4))


def transpose_cases():
    yield case("heads", ops.Transpose(perm=(0, 2, 1, 3)), {"x": random("x", (3, 4, 2, 5), np.int8)}, batch=3)
    yield case("keys", ops.Transpose(perm=(0, 2, 3, 1)), {"x": random("y", (3, 4, 2, 5), np.int8)}, batch=3)
    yield case("batch-last", ops.Transpose(perm=(1, 0)), {"x": random("z", (3, 7), np.int32)}, batch=3)
    yield case("same", ops.Transpose(perm=(0, 1, 2)), {"x": random("s", (1, 2, 3), np.uint8)})


def reshape_cases():
    yield case("split", ops.Reshape(shape=(-1, 5, 2, 4)), {"x": random("x", (3, 5, 8), np.int16)}, batch=3)
    yield case("merge", ops.Reshape(shape=(-1, 40)), {"x": random("y", (3, 5, 2, 4), np.uint8)}, batch=3)
    yield case("rows-in-batch", ops.Reshape(shape=(-1, 8)), {"x": random("z", (3, 5, 8), np.int32)}, batch=3)
    yield case("more-axes", ops.Reshape(shape=(1, -1, 3, 1)), {"x": random("w", (2, 3), np.int8)}, batch=2)


def slice_cases():
    yield case("first-token", ops.Slice(axis=1, start=0, end=1), {"x": random("x", (3, 5, 8), np.int16)}, batch=3)
    yield case("inner-channels", ops.Slice(axis=2, start=2, end=7), {"x": random("y", (1, 5, 8), np.int8)})
    yield case("everything", ops.Slice(axis=1, start=0, end=5), {"x": random("z", (1, 5), np.uint8)})
    yield case("last", ops.Slice(axis=3, start=3, end=4), {"x": random("w", (2, 2, 3, 4), np.int32)}, batch=2)


def concat_cases():
    for kind in (np.int16, np.uint8):
        a, b = random("a", (3, 1, 8), kind), random("b", (3, 4, 8), kind)
        yield case(f"tokens-{a.dtype}", ops.Concat(axis=1), {"a": a, "b": b}, batch=3)
    a, b = random("c", (1, 2, 3), np.int32), random("d", (1, 2, 5), np.int32)
    yield case("last-axis", ops.Concat(axis=2), {"a": a, "b": b})


def expand_cases():
    for batch in (1, 3):
        like, token = random("l", (batch, 4, 2), np.uint8), random("t", (1, 1, 8), np.int16)
        yield case(f"class-token-batch-{batch}", ops.Expand(), {"like": like}, {"x": token}, batch)
    yield case("rank-2", ops.Expand(), {"like": random("m", (2, 3), np.int8)}, {"x": random("u", (1, 5), np.int32)}, 2)


def two_scale_table(bits, coarse_shift, entries=2048, steps=200):
    """exp(-i / steps) as two-scale codes."""
    half = 1 << (bits - 1)
    values = [round(((half - 1) << coarse_shift) * math.exp(-i / steps)) for i in range(entries)]
    table = [v if v < half else half + ((v + (1 << (coarse_shift - 1))) >> coarse_shift) for v in values]
    return np.array(table, np.uint8)


LAYOUTS = [(8, 3), (8, 1), (8, 7), (6, 5), (6, 2), (4, 2), (2, 1)]
"""Bits and coarse shifts of two-scale codes: typical, and the least and most of each."""


def softmax_two_scale_cases():
    def make(name, x, multiplier, shift, batch, layout=(8, 3), table=None):
        table = two_scale_table(*layout) if table is None else table
        op = ops.SoftmaxTwoScale(shift=shift, bits=layout[0], coarse_shift=layout[1])
        return case(name, op, {"x": x}, {"multiplier": multiplier, "table": table}, batch)

    yield from softmax_cases(make)
    for bits, coarse_shift in LAYOUTS:
        x = scores(f"{bits}", (2, 3, 37))
        yield make(f"layout-{bits}-{coarse_shift}", x, i32(1 << 20), 20, 2, (bits, coarse_shift))
    yield make("two-entries", scores("e", (1, 3, 6)), i32(1), 2, 1, (8, 7), np.array([255, 130], np.uint8))


def two_scale_encode_cases():
    def make(name, x, layout, multiplier, shift, batch=1, zero_point=0):
        bits, coarse_shift = layout
        op = ops.TwoScaleEncode(bits=bits, coarse_shift=coarse_shift, multiplier=multiplier, shift=shift, zero_point=zero_point)
        return case(name, op, {"x": x}, batch=batch)

    yield make("typical", random("x", (3, 5, 7), np.int16, -400, 9000), (8, 4), 1 << 28, 30, 3, 40)
    values = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16).reshape(1, 256, 256)
    for bits, coarse_shift in LAYOUTS:
        yield make(f"whole-range-{bits}-{coarse_shift}", values, (bits, coarse_shift), 4, 2)
    for kind in (np.uint8, np.int8, np.int32):
        x = random("y", (1, 3, 33), kind)
        yield make(f"top-multiplier-{x.dtype}", x, (8, 3), TOP_MULTIPLIER, 31, zero_point=5)
        yield make(f"shift-62-{x.dtype}", x, (6, 5), 1 << 30, 62)
    yield make("ties-shift-2", random("t", (1, 5, 9), np.int16, -8, 300), (4, 2), 1, 2)
    far = i32(-(1 << 31), (1 << 31) - 1, 0, 1, -1).reshape(1, 5)
    yield make("zero-point-far", far, (8, 5), 1 << 20, 40, zero_point=(1 << 31) - 1)
    yield make("zero-multiplier", far, (8, 5), 0, 2, zero_point=300)
    yield make("tokens-197", random("w", (1, 197, 65), np.int32, -9000, 400000), (8, 4), 1 << 20, 28, zero_point=34)


def two_scale_decode_cases():
    for bits, coarse_shift in LAYOUTS:
        x = np.arange(256, dtype=np.uint8).reshape(1, 8, 32)
        op = ops.TwoScaleDecode(bits=bits, coarse_shift=coarse_shift)
        yield case(f"all-codes-{bits}-{coarse_shift}", op, {"x": x})
    yield case("batch", ops.TwoScaleDecode(bits=8, coarse_shift=4), {"x": random("b", (3, 2, 197), np.uint8)}, batch=3)


def append_residuals_cases():
    def make(name, x, bits, channels, batch=1):
        return case(name, ops.AppendResiduals(bits=bits, channels=channels), {"x": x}, batch=batch)

    every = np.arange(-(1 << 15), 1 << 15, dtype=np.int16).reshape(1, 256, 256)
    for bits in range(1, 8):
        yield make(f"all-codes-{bits}", every, bits, (255, 0, 7, 7, 128))
    yield make("tokens-197", random("tokens", (3, 197, 192), np.int16, 0, 2044), 3, tuple(range(1, 192, 4)), 3)
    yield make("one-channel", random("one", (2, 1), np.int16), 4, (0,), 2)
    yield make("more-residuals-than-channels", random("more", (1, 2, 3), np.int16, -9, 300), 2, (2, 1, 0, 2, 1))


GENERATORS = {
    "Add": add_cases,
    "AppendResiduals": append_residuals_cases,
    "Concat": concat_cases,
    "Expand": expand_cases,
    "GeluErf": gelu_erf_cases,
    "GeluPolynomial": gelu_polynomial_cases,
    "GeluShift": gelu_shift_cases,
    "GeluTable": gelu_table_cases,
    "LayerNorm": layer_norm_cases,
    "LayerNormNewton": layer_norm_newton_cases,
    "Linear": linear_cases,
    "MatMul": matmul_cases,
    "Mean": mean_cases,
    "Requantize": requantize_cases,
    "Reshape": reshape_cases,
    "Shiftmax": shiftmax_cases,
    "Slice": slice_cases,
    "SoftmaxBit": softmax_bit_cases,
    "SoftmaxDivide": softmax_divide_cases,
    "SoftmaxIBert": softmax_i_bert_cases,
    "SoftmaxOctave": softmax_octave_cases,
    "SoftmaxPolynomial": softmax_polynomial_cases,
    "SoftmaxPolynomialWide": lambda: softmax_polynomial_cases(ops.SoftmaxPolynomialWide),
    "SoftmaxTable": softmax_table_cases,
    "SoftmaxTwoScale": softmax_two_scale_cases,
    "Transpose": transpose_cases,
    "TwoScaleDecode": two_scale_decode_cases,
    "TwoScaleEncode": two_scale_encode_cases,
}
CASES = [made for generator in GENERATORS.values() for made in generator()]
