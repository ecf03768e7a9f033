"""Constants that join a tensor take over its encoding, zero point and all."""

from types import SimpleNamespace

import numpy as np

from intvit.numerics import U8
from intvit.quantize.builder import GraphBuilder
from intvit.quantize.encoding import per_tensor
from intvit.quantize.lower.elementwise import operand


def test_a_constant_takes_over_scale_and_zero_point():
    array = np.linspace(-3, 5, 33)
    graph = SimpleNamespace(is_constant=lambda name: True, constants={"token": array})
    like = per_tensor(U8, 0.05, 3, 100)
    lowered = operand(SimpleNamespace(graph=graph, builder=GraphBuilder()), "token", like)
    assert lowered.encoding.dtype == U8
    codes = np.clip(np.floor(array / 0.05 + 100.5), 0, 255)
    np.testing.assert_array_equal(lowered.encoding.codes(array), codes)
    assert np.abs(lowered.encoding.real(codes) - array).max() <= 0.025 + 1e-9
