"""The softmaxes of the papers against their formulas, in Python integers and fractions, and against the exponential."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from helpers.codes import codes
from helpers.graphs import op_graph
from helpers.softmax import shiftmax, softmax_bit, softmax_i_bert

from intvit.ir import certify
from intvit.numerics import S8

SCALES = [0.001, 0.0371, 0.25, 1 / 3, 0.9, 2.5]
LIMIT = (1 << 31) - 1


def i_vit(x, scale, n, bits):
    """Steps 1 to 7 of `IntSoftmax` of I-ViT's code for one row, exactly."""
    x0 = math.floor(-1 / Fraction(scale))
    exponentials = []
    for value in x:
        d = value - max(x)
        p = max(d + math.floor(Fraction(d, 2)) - math.floor(Fraction(d, 16)), n * x0)
        q = math.floor(Fraction(p, x0))
        r = p - x0 * q
        exponentials.append(max(0, math.floor((Fraction(r, 2) - x0) * Fraction(2) ** (n - q))))
    factor = math.floor(Fraction(LIMIT, min(sum(exponentials), LIMIT)))
    return [math.floor(Fraction(e * factor, 1 << (31 - bits + 1))) for e in exponentials]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("n", "bits"), [(15, 16), (15, 8), (16, 8), (12, 16)])
@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_shiftmax_is_what_the_code_of_i_vit_computes(scale, n, bits, kind):
    for seed in range(4):
        x = codes((3, 19), kind, seed=seed) if seed else np.repeat(codes((3, 1), kind), 19, axis=1)
        (y,) = shiftmax(scale, n=n, bits=bits).reference(x)
        assert y.tolist() == [i_vit(row, scale, n, bits) for row in x.tolist()]


def test_a_row_sum_beyond_31_bits_counts_as_31_bits():
    x = np.zeros((1, 50), np.int8)
    (y,) = shiftmax(1 / 2000, n=16).reference(x)
    assert LIMIT < 50 * (2000 << 16)
    assert y.tolist() == [[(2000 << 16) >> 16] * 50] == [i_vit([0] * 50, 1 / 2000, 16, 16)]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("nearest", [0, 1])
@pytest.mark.parametrize("numerator_bits", [24, 28])
def test_softmax_bit_is_its_formula(scale, nearest, numerator_bits):
    step = math.floor(Fraction(scale) * 65536)
    for row in codes((4, 23), np.int8).tolist():
        exponentials = []
        for value in row:
            d = value - max(row)
            z = Fraction((d + math.floor(Fraction(d, 2)) - math.floor(Fraction(d, 16))) * step, 65536)
            q = math.floor(-z + Fraction(nearest, 2))
            r = z + q
            line = 65536 + sum(math.floor(r * 65536 / divisor) for divisor in (2, 8, 16))
            exponentials.append(math.floor(Fraction(line, 1 << q)))
        inverse = (1 << numerator_bits) // sum(exponentials)
        wanted = [min((e * inverse) >> (numerator_bits - 15), 32767) for e in exponentials]
        op = softmax_bit(scale, nearest=nearest, numerator_bits=numerator_bits)
        assert op.reference(np.array([row], np.int8))[0].tolist() == [wanted]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", [np.int8, np.int16])
def test_softmax_i_bert_is_its_formula(scale, kind):
    """L(p) 2^-z with p and z from the division by ln 2, rounded to 16 bits as I-BERT's activations are."""
    op = softmax_i_bert(scale)
    for row in codes((4, 23), kind).tolist():
        exponentials = []
        for value in row:
            d = max(value - max(row), -30 * op.ln2)
            z = math.floor(Fraction(-d, op.ln2))
            p = d + z * op.ln2
            shifted = (p * (p + op.b) + op.c) << (30 - z)
            rounded = math.floor(Fraction(shifted * op.multiplier, 1 << (op.shift + 30)) + Fraction(1, 2))
            exponentials.append(min(rounded, 32767))
        factor = (1 << 32) // sum(exponentials)
        wanted = [min((e * factor) >> 17, 32767) for e in exponentials]
        assert op.reference(np.array([row], kind))[0].tolist() == [wanted]


@pytest.mark.parametrize(
    ("op", "low", "high"),
    [
        (shiftmax(1 / 1024), 0, 0.070),
        (softmax_bit(1 / 1024), -0.071, 0.006),
        (softmax_bit(1 / 1024, nearest=0), -0.375, 0.006),
        (softmax_i_bert(1 / 1024), -0.005, 0.003),
    ],
    ids=["shiftmax", "bit", "bit-floor", "i-bert"],
)
def test_relative_error_of_the_exponentials_over_two_factors_of_e(op, low, high):
    """What each approximation of 2^-f or exp(-p) adds to that of log2 e, which reaches +0.7 % at exp(-2)."""
    distance = np.arange(2 * 1024, dtype=np.int64)
    e = op.exponential(distance) / op.exponential(distance[:1])[0]
    error = e / np.exp(-distance / 1024) - 1
    assert low <= error.min() <= 0.95 * low
    assert 0.7 * high <= error.max() <= high


@pytest.mark.parametrize("make", [shiftmax, softmax_bit, softmax_i_bert])
def test_probabilities_fall_with_the_score_and_sum_to_at_most_one(make):
    for bits in (8, 16):
        x = np.sort(codes((6, 50), np.int8))[:, ::-1]
        (y,) = make(0.05, bits=bits).reference(x)
        assert (y.astype(int).sum(-1) <= 1 << (bits - 1)).all()
        slips = [b - a for row in y.tolist() for a, b in pairwise(row)]
        assert max(slips) <= (0 if make is shiftmax else 1 << (bits - 5))


@pytest.mark.parametrize(
    "op", [shiftmax(1 / 70000), shiftmax(1 / 40000, n=16), softmax_i_bert(1 / 100000)], ids=["n-15", "n-16", "i-bert"]
)
def test_exponentials_beyond_31_bits_are_refused(op):
    failures = certify(op_graph(op, {"x": np.zeros((1, 3), np.int8)})).failures
    assert {claim.bound.quantity for claim in failures} & {"exponential", "parabola"}


def test_the_output_interval_is_that_of_its_bits():
    graph = op_graph(shiftmax(0.1, bits=8, to=S8), {"x": np.zeros((1, 3), np.int8)})
    assert (certify(graph).intervals["y"].low, certify(graph).intervals["y"].high) == (0, 127)
