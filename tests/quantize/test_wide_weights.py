"""Weights of 15 bits in two parts: the product is that of the whole weights, but for the rounding of the cut inputs."""

from types import SimpleNamespace

import numpy as np
import pytest

from intvit.ir import TensorType
from intvit.numerics import S16, S32
from intvit.quantize.builder import GraphBuilder
from intvit.quantize.encoding import Encoding
from intvit.quantize.lower.emit_linear import RealLinear
from intvit.quantize.lower.wide_weights import emit_with_wide_weights
from intvit.quantize.weights import LOW_BITS, WIDE_BITS, in_two_parts, largest_code
from intvit.runtime.reference import run_reference

DEPTH, CHANNELS, ROWS = 24, 5, 7


@pytest.mark.parametrize("seed", range(5))
def test_the_product_is_that_of_the_whole_weights(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(-largest_code(WIDE_BITS), largest_code(WIDE_BITS) + 1, (DEPTH, CHANNELS)).astype(np.float64)
    x = rng.integers(-20000, 20001, (ROWS, 1, DEPTH)).astype(np.int16)
    bias = rng.normal(size=CHANNELS) * 1e6
    builder = GraphBuilder()
    builder.input("x", TensorType(S16, (1, 1, DEPTH), 0))
    context = SimpleNamespace(builder=builder, emit=lambda name, op, *inputs: builder.add(name, op, *inputs)[0])
    layer = RealLinear(codes, np.full(CHANNELS, 2.0**-9), bias)
    encoding = Encoding(S32, np.ones(CHANNELS), np.zeros(CHANNELS))
    result = emit_with_wide_weights(context, "y", "x", layer, encoding)
    (found,) = run_reference(builder.build((result,)), {"x": x}).values()
    exact = (x @ codes + bias) * 2.0**-9
    cut = np.abs(in_two_parts(codes)[DEPTH:]).sum(0).max() / 2 * 2.0**-9 * (1 << LOW_BITS)
    assert np.abs(found - exact).max() <= cut + 1
    rough = (x @ (np.round(codes / (1 << LOW_BITS)) * (1 << LOW_BITS)) + bias) * 2.0**-9
    assert np.abs(found - exact).std() < 0.02 * np.abs(rough - exact).std()
