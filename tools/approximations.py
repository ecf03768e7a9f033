"""Every nonlinear approximation of the package: what tools/approximation_errors.py measures.

An operator enters with one `Approximation` in `APPROXIMATIONS`, whose `make` gives it and its constants for a setting.
Rescalings that an operator ends in are made the identity (multiplier 4, shift 2), so that what is measured is the
approximation alone. An operator whose answer for one element depends on the row's maximum has settings made by
`approximation_families.with_maximum`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from approximation_families import (
    CHANNELS_SWEPT,
    CODES_SWEPT,
    FINE,
    FRACTION_BITS_SWEPT,
    GELU,
    LAYER_NORM,
    MAXIMA_SWEPT,
    NEWTON_SWEPT,
    SCORES_SWEPT,
    SOFTMAX,
    Family,
    Setting,
    channels,
    codes_within,
    fraction_bits,
    scores,
)
from numpy.typing import NDArray

from intvit.ir.op import Op
from intvit.numerics import S8, S16, S32, common_shift
from intvit.ops import (
    GeluErf,
    GeluPolynomial,
    GeluShift,
    GeluTable,
    LayerNorm,
    LayerNormNewton,
    Shiftmax,
    SoftmaxBit,
    SoftmaxIBert,
    SoftmaxOctave,
    SoftmaxPolynomial,
    SoftmaxPolynomialWide,
    SoftmaxTable,
    SoftmaxTwoScale,
)
from intvit.ops import softmax_polynomial as exponential
from intvit.ops.gelu import VALUE_BITS
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.gelu_shift import SIGMOID_BITS
from intvit.ops.layer_norm import FRACTION_BITS
from intvit.ops.layer_norm_newton import VALUE_BITS as NEWTON_BITS
from intvit.ops.softmax_exp import TOP
from intvit.ops.softmax_octave import STEPS, octave
from intvit.ops.two_scale import decode
from intvit.quantize.encoding import per_tensor
from intvit.quantize.lower.context import Lowered
from intvit.quantize.lower.deferred_softmax import TABLE_ENTRIES, TABLE_STEPS
from intvit.quantize.lower.gelu_erf import I_BERT, QUARTIC, erf_form
from intvit.quantize.lower.gelu_fixed import BYTE_VALUE_BITS, TABLE_BITS, byte_table, large_table
from intvit.quantize.lower.gelu_form import GeluForm
from intvit.quantize.lower.gelu_shift import SLOPE, N
from intvit.quantize.lower.normalized_softmax import FAMILIES, Probabilities
from intvit.quantize.lower.two_scale import exponential_codes

Array = NDArray[Any]
COARSE_SHIFT = 4
ONE, SHIFT = 4, 2
"""`rescale(x, ONE, SHIFT)` is x."""
UNSCALED: dict[str, Any] = {"to": S32, "low": S32.low, "high": S32.high, "shift": SHIFT}
"""The attributes with which an operator gives its value itself, s32, if its multipliers are `ONE`."""


@dataclass(frozen=True)
class Made:
    """An operator for one setting.

    Attributes:
        op: the operator.
        constants: its inputs after the first.
        step: the real value of one step of what is read from its outputs.
    """

    op: Op
    constants: tuple[Array, ...]
    step: float


def only_output(outputs: tuple[Array, ...]) -> Array:
    """Return what most operators give."""
    (y,) = outputs
    return y


@dataclass(frozen=True)
class Approximation:
    """One operator, with one choice of its constants.

    Attributes:
        operator: the operator.
        title: its name for people.
        family: the function that it stands for.
        make: what makes the operator for a setting.
        settings: the sweeps.
        shown: those of `settings` that are drawn; the first is the usual one, at which operations are counted.
        result: what its output can tell apart.
        source: the paper and formula.
        read: from its outputs to what they stand for, in steps, [codes, row length].
    """

    operator: type[Op]
    title: str
    family: Family
    make: Callable[[Setting], Made]
    settings: tuple[Setting, ...]
    shown: tuple[Setting, ...]
    result: str
    source: str
    read: Callable[[tuple[Array, ...]], Array] = only_output


# GELU


def gelu_polynomial(setting: Setting) -> Made:
    """Make `GeluPolynomial` that gives GELU itself, with 15 fraction bits."""
    bits = round(-math.log2(setting.step))
    op = GeluPolynomial(**UNSCALED, fraction_bits=bits, coefficients=DEGREE_8)
    return Made(op, (np.array([ONE], np.int32),), 2.0**-VALUE_BITS)


def gelu_table(make_form: Callable[[int], GeluForm]) -> Callable[[Setting], Made]:
    """Return what makes `GeluTable` with the table that a recipe takes for so many fraction bits."""

    def make(setting: Setting) -> Made:
        form = make_form(round(-math.log2(setting.step)))
        return Made(form.make(**UNSCALED), (np.array([ONE], np.int32), *form.constants.values()), float(form.step))

    return make


def gelu_erf(power: int, constants: tuple[float, float]) -> Callable[[Setting], Made]:
    """Return what makes `GeluErf` with these constants."""

    def make(setting: Setting) -> Made:
        codes = S8 if setting.high <= S8.high else S16
        form = erf_form(power, *constants, Lowered("x", per_tensor(codes, setting.step, 1)))
        return Made(form.make(**UNSCALED), (np.array([ONE], np.int32),), float(form.step))

    return make


def gelu_shift(setting: Setting) -> Made:
    """Make `GeluShift` as I-ViT's code has it."""
    op = GeluShift(**UNSCALED, unit=math.ceil(1 / (SLOPE * Fraction(setting.step))), n=N)
    return Made(op, (np.array([ONE], np.int32),), setting.step / (1 << SIGMOID_BITS))


# Softmax


def softmax_values(outputs: tuple[Array, ...]) -> Array:
    """Return the softmax of exponentials and their row sums, which the engine divides after the product with the values."""
    e, row_sum = outputs
    return e / row_sum


def softmax_polynomial(
    coefficients: tuple[int, ...], kind: type[SoftmaxPolynomial] = SoftmaxPolynomial
) -> Callable[[Setting], Made]:
    """Return what makes `SoftmaxPolynomial`, or its twin of 14 bits, with these coefficients."""

    def make(setting: Setting) -> Made:
        multiplier, shift = _units(setting, math.log2(math.e) * (1 << exponential.FRACTION_BITS))
        return Made(kind(shift=shift, coefficients=coefficients), (multiplier,), 1.0)

    return make


def softmax_octave(setting: Setting) -> Made:
    """Make `SoftmaxOctave`."""
    multiplier, shift = _units(setting, math.log2(math.e) * STEPS)
    return Made(SoftmaxOctave(shift=shift), (multiplier, octave(TOP)), 1.0)


def softmax_table(setting: Setting) -> Made:
    """Make `SoftmaxTable` with the table of the recipe `tables`."""
    multiplier, shift = _units(setting, TABLE_STEPS)
    table = np.floor(TOP * np.exp(-np.arange(TABLE_ENTRIES) / TABLE_STEPS) + 0.5).astype(np.uint8)
    return Made(SoftmaxTable(shift=shift), (multiplier, table), 1.0)


def softmax_two_scale(setting: Setting) -> Made:
    """Make `SoftmaxTwoScale` with 8-bit codes and the coarse shift that most of DeiT-Tiny's softmaxes get."""
    multiplier, shift = _units(setting, TABLE_STEPS)
    op = SoftmaxTwoScale(shift=shift, bits=8, coarse_shift=COARSE_SHIFT)
    return Made(op, (multiplier, exponential_codes(8, COARSE_SHIFT)), 1.0)


def two_scale_values(outputs: tuple[Array, ...]) -> Array:
    """Return the softmax of two-scale codes and the sums of their values."""
    codes, row_sum = outputs
    return decode(codes, 8, COARSE_SHIFT) / row_sum


def _units(setting: Setting, units: float) -> tuple[Array, int]:
    multipliers, shift = common_shift([Fraction(setting.step * units)])
    return np.array(multipliers, np.int32), shift


def probabilities(family: str) -> Callable[[Setting], Made]:
    """Return what makes a softmax of the papers, with probabilities of 16 bits."""
    return lambda setting: Made(FAMILIES[family](Fraction(setting.step), Probabilities(to=S16, bits=16)), (), 2.0**-15)


# LayerNorm


def layer_norm(setting: Setting) -> Made:
    """Make `LayerNorm` that gives the normalized value itself."""
    return Made(LayerNorm(**UNSCALED, epsilon=setting.epsilon), unit_affine(setting), 2.0**-FRACTION_BITS)


def layer_norm_newton(setting: Setting) -> Made:
    """Make `LayerNormNewton` that gives the normalized value itself."""
    return Made(LayerNormNewton(**UNSCALED), unit_affine(setting), math.sqrt(setting.channels) / (1 << NEWTON_BITS))


def unit_affine(setting: Setting) -> tuple[Array, Array]:
    """Return the multipliers and biases with which a LayerNorm gives the normalized value itself."""
    return np.full(setting.channels, ONE, np.int32), np.zeros(setting.channels, np.int64)


def _exponentials() -> Iterable[Approximation]:
    polynomials = (
        ("cubic", exponential.CUBIC, "minimax, exact at both ends (`tools/fit_polynomials.py`)"),
        ("quadratic", exponential.QUADRATIC, "minimax, exact at both ends (`tools/fit_polynomials.py`)"),
        (
            "chord",
            exponential.CHORD,
            "the straight line of I-ViT's Shiftmax, [arXiv 2207.01405](https://arxiv.org/abs/2207.01405)",
        ),
    )
    for name, coefficients, source in polynomials:
        yield Approximation(
            SoftmaxPolynomial, f"SoftmaxPolynomial, {name}", SOFTMAX, softmax_polynomial(coefficients),
            SCORES_SWEPT, (FINE,), "u8, 255 at the maximum", source, softmax_values,
        )  # fmt: skip
    yield Approximation(
        SoftmaxPolynomialWide, "SoftmaxPolynomialWide, cubic", SOFTMAX,
        softmax_polynomial(exponential.CUBIC, SoftmaxPolynomialWide),
        SCORES_SWEPT, (FINE,), "s16, 16320 at the maximum", "as SoftmaxPolynomial, cubic", softmax_values,
    )  # fmt: skip
    yield Approximation(
        SoftmaxOctave, "SoftmaxOctave", SOFTMAX, softmax_octave,
        SCORES_SWEPT, (FINE,), "u8, 255 at the maximum", f"{STEPS} entries of one octave", softmax_values,
    )  # fmt: skip
    yield Approximation(
        SoftmaxTable, "SoftmaxTable", SOFTMAX, softmax_table,
        SCORES_SWEPT, (FINE,), "u8, 255 at the maximum", f"{TABLE_ENTRIES} entries, {TABLE_STEPS} for each factor of e",
        softmax_values,
    )  # fmt: skip
    yield Approximation(
        SoftmaxTwoScale, "SoftmaxTwoScale", SOFTMAX, softmax_two_scale, SCORES_SWEPT, (FINE,),
        f"two-scale codes of 8 bits, the coarse scale {1 << COARSE_SHIFT} times the fine",
        "V-2SF of TSPTQ-ViT, [arXiv 2305.12901](https://arxiv.org/abs/2305.12901)", two_scale_values,
    )  # fmt: skip


APPROXIMATIONS: tuple[Approximation, ...] = (
    Approximation(
        GeluPolynomial, "GeluPolynomial, degree 8", GELU, gelu_polynomial,
        FRACTION_BITS_SWEPT, (fraction_bits(12),), "15 fraction bits", "minimax (`tools/fit_polynomials.py`)",
    ),
    Approximation(
        GeluTable, "GeluTable", GELU, gelu_table(large_table),
        FRACTION_BITS_SWEPT, (fraction_bits(12),), "15 fraction bits", f"at most {1 << TABLE_BITS} entries",
    ),
    Approximation(
        GeluTable, "GeluTable, bytes", GELU, gelu_table(byte_table),
        FRACTION_BITS_SWEPT, (fraction_bits(12),), "15 fraction bits", f"256 entries of {BYTE_VALUE_BITS} fraction bits",
    ),
    Approximation(
        GeluErf, "GeluErf, square", GELU, gelu_erf(2, I_BERT),
        CODES_SWEPT, (codes_within(16, 10),), "31 bits",
        "I-BERT, [arXiv 2101.01321](https://arxiv.org/abs/2101.01321), sec. 3.4",
    ),
    Approximation(
        GeluErf, "GeluErf, quartic", GELU, gelu_erf(4, QUARTIC),
        CODES_SWEPT, (codes_within(16, 10),), "31 bits",
        "IPTQ-ViT, [arXiv 2511.15369](https://arxiv.org/abs/2511.15369), sec. 4.3",
    ),
    Approximation(
        GeluShift, "GeluShift", GELU, gelu_shift,
        MAXIMA_SWEPT, MAXIMA_SWEPT[1:-1], "8-bit code times 7 fraction bits",
        "I-ViT, [arXiv 2207.01405](https://arxiv.org/abs/2207.01405), sec. 3.4, n = 23",
    ),
    *_exponentials(),
    Approximation(
        Shiftmax, "Shiftmax", SOFTMAX, probabilities("shiftmax"), SCORES_SWEPT[:-1], (scores(8, 10),), "15 fraction bits",
        "I-ViT, [arXiv 2207.01405](https://arxiv.org/abs/2207.01405), sec. 3.3, n = 15",
    ),
    Approximation(
        SoftmaxBit, "SoftmaxBit", SOFTMAX, probabilities("bit"), SCORES_SWEPT[:-1], (scores(8, 10),), "15 fraction bits",
        "IPTQ-ViT, [arXiv 2511.15369](https://arxiv.org/abs/2511.15369), sec. 4.4, rounded split",
    ),
    Approximation(
        SoftmaxIBert, "SoftmaxIBert", SOFTMAX, probabilities("i-bert"), SCORES_SWEPT[:-1], (scores(8, 10),), "15 fraction bits",
        "I-BERT, [arXiv 2101.01321](https://arxiv.org/abs/2101.01321), eq. 13",
    ),
    Approximation(
        LayerNorm, "LayerNorm", LAYER_NORM, layer_norm,
        CHANNELS_SWEPT, (channels(192),), "20 fraction bits", "exact integer square root, one reciprocal of 31 bits a row",
    ),
    Approximation(
        LayerNormNewton, "LayerNormNewton", LAYER_NORM, layer_norm_newton, NEWTON_SWEPT, (NEWTON_SWEPT[2],), "30 fraction bits",
        "I-ViT, [arXiv 2207.01405](https://arxiv.org/abs/2207.01405), sec. 3.5",
    ),
)  # fmt: skip
"""All of them, in the order of the report."""
