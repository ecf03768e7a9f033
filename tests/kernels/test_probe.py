"""The probe does the work that it claims."""

import numpy as np

from intvit.kernels.probe import BURST, make_probe
from intvit.kernels.tile import tile_shape


def test_a_burst_computes_whole_tiles(level):
    probe = make_probe(level)
    x, packed, _, sums = probe.step.arrays
    sums[...] = 0
    probe()
    group = level.traits.group
    weight = packed.reshape(x.shape[1] // group, -1, group).transpose(0, 2, 1).reshape(x.shape[1], -1)
    np.testing.assert_array_equal(sums, x.astype(np.int64) @ weight.astype(np.int64))
    assert sums.shape == tile_shape(level)
    assert probe.macs >= BURST and probe.macs % (x.size * weight.shape[1]) == 0
