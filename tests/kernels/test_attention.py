"""Fused attention against its four operators, at every SIMD level."""

import ctypes
import math
from dataclasses import dataclass

import numpy as np
import pytest
from tiles import software_dot

from intvit import ops
from intvit.kernels import sums_ir
from intvit.kernels.aligned import aligned_copy, aligned_empty
from intvit.kernels.attention import attention, pack_heads
from intvit.kernels.simd import Level, supported_levels
from intvit.kernels.softmax_polynomial import exponential_steps
from intvit.kernels.softmax_rows import exponential_thresholds
from intvit.kernels.tile import left_type, offset, operand_type, padded_columns, padded_depth, tile_shape
from intvit.numerics import S32, IntType
from intvit.ops.softmax_octave import octave
from intvit.ops.softmax_polynomial import CHORD, CUBIC, QUADRATIC
from intvit.ops.softmax_polynomial_wide import WIDE_VALUES

LEVELS = [*supported_levels(), *{Level.NEON_DOT} - {*supported_levels()}]
CALL = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)


@pytest.fixture(params=LEVELS)
def level(request, monkeypatch):
    """Every level of this machine, and NEON's with a dot product in software."""
    if request.param not in supported_levels():
        monkeypatch.setitem(sums_ir.DOTS, Level.NEON_DOT, software_dot)
        for kernel in (pack_heads, attention):  # this machine can't compile them again with NEON's own instruction
            monkeypatch.setattr(kernel, "signatures", set(kernel.signatures))
    return request.param


@dataclass
class Case:
    """Heads, queries, keys, their size, the size of the values, and everything else at its usual value.

    `wide` exponentials have 14 bits, `words` make queries, keys and values of 16.
    """

    heads: int = 3
    queries: int = 13
    tokens: int = 29
    size: int = 16
    width: int = 24
    dtype: type = np.int8
    multiplier: int = 1 << 30
    shift: int = 30
    coefficients: tuple | str | None = CUBIC
    to: type = np.uint8
    divide_shift: int = 38
    extreme: bool = False
    wide: bool = False
    words: bool = False

    def operands(self):
        """Return queries [H, M, K], keys [H, K, T] and values [H, T, N] as views of one activation, as they lie in a model."""
        rng = np.random.default_rng(self.tokens)
        longest, widest = max(self.queries, self.tokens), max(self.size, self.width)
        low, high = -128, 127
        if self.words:
            high = min(
                32767, math.isqrt(S32.high // self.size), S32.high // (self.tokens * (WIDE_VALUES.high if self.wide else 255))
            )
            low = -high
        kind = np.int16 if self.words else np.int8
        codes = rng.integers(low, high + 1, (longest, 3, self.heads, widest)).astype(kind)
        if self.extreme:
            codes = rng.choice(np.array([low, high], kind), codes.shape)
        q, k, v = aligned_copy(codes).transpose(1, 2, 0, 3)
        q = q[:, : self.queries, : self.size]
        q = q if self.words else q.view(self.dtype)
        return q, k[:, : self.tokens, : self.size].transpose(0, 2, 1), v[:, : self.tokens, : self.width]

    def constants(self):
        """Return the multipliers and the numerators of the heads, and the table if there is one."""
        heads = np.arange(self.heads)
        tables = {None: np.maximum(255 - np.arange(300), 0).astype(np.uint8), "octave": octave(255)}
        table = tables.get(self.coefficients)
        return (self.multiplier - heads % 2 * (self.multiplier // 3)).astype(np.int32), (1 << 37) + heads * 12345, table

    @property
    def softmax(self):
        """The operator of the exponentials."""
        if self.coefficients is None:
            return ops.SoftmaxTable(shift=self.shift)
        if self.coefficients == "octave":
            return ops.SoftmaxOctave(shift=self.shift)
        kind = ops.SoftmaxPolynomialWide if self.wide else ops.SoftmaxPolynomial
        return kind(shift=self.shift, coefficients=self.coefficients)

    @property
    def codes(self):
        kind = IntType.of(np.dtype(self.to))
        return {"to": kind, "low": kind.low, "high": kind.high, "zero_point": 7}


def reference(case):
    q, keys, values = case.operands()
    multiplier, numerator, table = case.constants()
    (scores,) = ops.MatMul().reference(q, keys)
    e, row_sum = case.softmax.reference(scores, multiplier[:, None, None], *(() if table is None else (table,)))
    (mixed,) = ops.MatMul().reference(e, values)
    divide = ops.SoftmaxDivide(shift=case.divide_shift, **case.codes)
    return divide.reference(mixed, row_sum, numerator[:, None, None])[0]


def garbage(*shape, dtype):
    """Memory whose content must not matter."""
    array = aligned_empty(shape, np.dtype(dtype))
    array.view(np.uint8)[...] = 0xA5
    return array


def bind(level, case):
    """Return both steps and the view of the output, whose heads lie next to each other in every row."""
    q, keys, values = case.operands()
    multiplier, numerator, table = case.constants()
    left, e = IntType.of(q.dtype), case.softmax.codes
    level, mix_level = (level.multiplying(x.bits, 16 if case.words else 8) for x in (left, e))
    rows, heads = tile_shape(level)[0], case.heads
    depth, value_depth = padded_depth(level, case.size), padded_depth(mix_level, case.tokens)
    columns, value_columns = padded_columns(level, case.tokens), padded_columns(mix_level, case.width)
    added, e_added = offset(level, left.signed, left.bits), offset(mix_level, e.signed, e.bits)
    offsets = [
        aligned_copy(np.full((1, depth), added, operand_type(level))),
        aligned_copy(np.full((1, value_depth), e_added, operand_type(mix_level))),
    ]
    sums = garbage(1, rows, max(tile_shape(level)[1], tile_shape(mix_level)[1]), dtype=np.int32)
    packed = (
        garbage(heads, depth * columns, dtype=level.traits.right), garbage(heads, columns, dtype=np.int32),
        garbage(heads, value_depth * value_columns, dtype=mix_level.traits.right),
        garbage(heads, value_columns, dtype=np.int32),
    )  # fmt: skip
    wide = -(-max(columns, case.tokens) // 32) * 32
    scratch = (
        garbage(1, rows, depth, dtype=operand_type(level)), garbage(1, rows, wide, dtype=np.int32),
        garbage(1, rows, wide, dtype=left_type(mix_level, signed=False)),
        garbage(1, rows, dtype=np.int32), garbage(1, rows, value_columns, dtype=np.int32),
    )  # fmt: skip
    y = garbage(case.queries, heads * case.width, dtype=case.to)
    merged = y.reshape(case.queries, heads, case.width).transpose(1, 0, 2)
    exponential = aligned_copy(table if table is not None else exponential_steps(case.coefficients))
    softmax, is_table = case.softmax, case.coefficients is None
    bits = (0, 0) if is_table else (softmax.value_bits, softmax.threshold_bits)
    thresholds = aligned_copy(exponential_thresholds((0,) if is_table else softmax.thresholds))
    low, high = case.codes["low"], case.codes["high"]
    pack = pack_heads.bind(level, mix_level, keys, values, depth, value_depth, *offsets, sums, *packed)
    run = attention.bind(
        level, mix_level, q, added, *packed, depth, value_depth, case.tokens, multiplier, case.shift, exponential,
        *bits, thresholds, numerator, case.divide_shift, 7, low, high,
        *scratch, merged.view(f"i{y.itemsize}"),
    )  # fmt: skip
    return pack, run, merged


def assert_equals_reference(level, case):
    pack, run, y = bind(level, case)
    pack()
    run()
    np.testing.assert_array_equal(y, reference(case))


SHAPES = [
    (1, 1, 1, 1, 1),
    (2, 6, 16, 4, 16),
    (3, 7, 5, 3, 17),
    (1, 13, 33, 8, 70),
    (2, 12, 64, 64, 64),
    (2, 5, 80, 32, 32),
    (3, 20, 197, 64, 64),
    (1, 49, 49, 32, 32),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@pytest.mark.parametrize("wide", [False, True])
def test_shapes(level, shape, dtype, wide):
    assert_equals_reference(level, Case(*shape, dtype=dtype, wide=wide))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("extreme", [False, True])
def test_operands_of_16_bits(level, shape, wide, extreme):
    assert_equals_reference(level, Case(*shape, words=True, wide=wide, extreme=extreme, shift=44))


@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("coefficients", [CUBIC, QUADRATIC, CHORD, "octave", None])
@pytest.mark.parametrize("wide", [False, True])
def test_exponentials(level, coefficients, extreme, wide):
    assert_equals_reference(level, Case(coefficients=coefficients, extreme=extreme, wide=wide, tokens=70, size=64))


@pytest.mark.parametrize("multiplier", [0, 1, 1 << 20, (1 << 21) - 1, 1 << 21, (1 << 31) - 1])
@pytest.mark.parametrize("shift", [2, 13, 14, 26, 33, 34, 50])
def test_every_size_of_multiplier_and_shift(multiplier, shift, level):
    assert_equals_reference(level, Case(multiplier=multiplier, shift=shift, extreme=shift % 2 == 0))


@pytest.mark.parametrize("multiplier", [0, 1, 655, 19660, (1 << 22) + 7, (1 << 29) - 1, (1 << 31) - 1])
@pytest.mark.parametrize("shift", [2, 21, 22, 50])
def test_octaves_of_every_size_of_multiplier_and_shift(multiplier, shift, level):
    assert_equals_reference(level, Case(multiplier=multiplier, shift=shift, extreme=shift % 2 == 0, coefficients="octave"))


@pytest.mark.parametrize("to", [np.uint8, np.int8, np.int16, np.int32])
@pytest.mark.parametrize("divide_shift", [20, 32, 33, 40])
def test_outputs(level, to, divide_shift):
    assert_equals_reference(level, Case(to=to, divide_shift=divide_shift))


def test_padded_columns_count_neither_for_the_maximum_nor_for_the_sum(level):
    """All true scores are far below zero, which padding would give."""
    case = Case(tokens=5)
    q, keys, _ = case.operands()
    q[...], keys[...] = 127, -128
    case.operands = lambda: (q, keys, Case(tokens=5).operands()[2])
    assert_equals_reference(level, case)


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 40])
def test_parts_make_the_whole(level, parts):
    case = Case(queries=25)
    pack, run, y = bind(level, case)
    for step in (pack, run):
        for part in reversed(range(parts)):
            CALL(step.entry)(step.words.ctypes.data, 0, part, parts)
    np.testing.assert_array_equal(y, reference(case))
