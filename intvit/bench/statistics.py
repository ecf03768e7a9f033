"""What is told about measured times: medians with quartiles, and ratios of engines that ran in turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """The middle of some values.

    Attributes:
        median: half of the values are smaller.
        low: the first quartile.
        high: the third quartile.
    """

    median: float
    low: float
    high: float

    def scaled(self, factor: float) -> Spread:
        """Return the spread of the values times a positive factor."""
        return Spread(self.median * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Ratio:
    """How many times as long one engine takes as another.

    Attributes:
        of_medians: the ratio of the two medians over all rounds.
        by_round: the ratios within each round, where both met the same machine.
    """

    of_medians: float
    by_round: Spread


def spread(values: Sequence[float]) -> Spread:
    """Return median and quartiles of at least one value."""
    low, median, high = np.percentile(np.asarray(values, np.float64), (25, 50, 75))
    return Spread(float(median), float(low), float(high))


def ratio(slower: Sequence[float], faster: Sequence[float]) -> Ratio:
    """Compare two engines.

    Args:
        slower: seconds of one engine, one value a round.
        faster: seconds of the engine that it is divided by, in the same rounds.

    Raises:
        ValueError: they have not the same number of rounds.
    """
    rounds = [a / b for a, b in zip(slower, faster, strict=True)]
    return Ratio(spread(slower).median / spread(faster).median, spread(rounds))
