"""Random integer arrays that are the same on every machine and with every NumPy version."""

import math
import random

import numpy as np


def codes(shape, dtype, low=None, high=None, seed=0, extremes=0.2):
    """Return integers in [low, high] (by default all of the type); a share `extremes` of them lies at the two ends."""
    info = np.iinfo(dtype)
    low = int(info.min) if low is None else low
    high = int(info.max) if high is None else high
    bits = random.Random(f"{seed} {shape} {np.dtype(dtype)} {low} {high}")
    values = []
    for _ in range(math.prod(shape)):
        at_end = bits.getrandbits(16) < extremes * 65536
        values.append((low, high)[bits.getrandbits(1)] if at_end else low + bits.getrandbits(80) % (high - low + 1))
    return np.array(values, dtype).reshape(shape)
