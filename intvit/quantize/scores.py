"""How the scores are stored that softmax turns into probabilities."""

from __future__ import annotations

from intvit.numerics import S8, S16
from intvit.quantize.calibrate import Statistics
from intvit.quantize.encoding import Encoding, per_tensor

FINEST = 2.0**-14
"""The smallest scale, so that the parabola of I-BERT's exponential, `1 / scale^2` high, fits 32 bits."""


def scores_encoding(family: str, statistics: Statistics, rank: int) -> Encoding:
    """Return the one symmetric scale of a softmax's input, which covers all that calibration saw.

    I-ViT and IPTQ-ViT read 8 bits. I-BERT reads the accumulators of q k^T, whose fine scale its integer ln 2 needs; here it
    gets 16 bits.
    """
    dtype = S16 if family == "i-bert" else S8
    top = max(-float(statistics.low.min()), float(statistics.high.max()))
    return per_tensor(dtype, max(top / dtype.high, FINEST), rank)
