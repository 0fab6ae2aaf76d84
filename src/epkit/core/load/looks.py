"""A stop rule that looks at fixed, growing sample sizes, each time with a part of the error it may make.

Looking often and stopping at the first tight interval would stop on luck. Here the k-th look, at a sample half as large
again as the last, asks for an interval of confidence 1 − α 6 / (π k)², so that all looks together err in no more than α
of the runs, however many there are.

Source: alpha spending: Lan & DeMets (1983); the summable sequence is Bonferroni's, Robbins (1970).
"""

import math
from fractions import Fraction
from typing import Final

import numpy as np

from epkit.core.load.criteria import Tight
from epkit.core.stats.percentiles import correlation_time, floor, interval, rank

ALPHA: Final = 0.05
GROWTH: Final = 1.5
LEAST: Final = 100


class Looks:
    """Decides when an estimate is tight enough."""

    def __init__(self, goal: Tight) -> None:
        """Prepare the looks; `number` counts those made, `share` is the half width that the last one found."""
        self.goal = goal
        self.percent = Fraction(goal.key)
        self.number = 0
        self.share: float | None = None
        self.count = 0
        self.tight = False
        self.next_at = max(LEAST, floor(self.percent, self._tail(1)))
        """The sample size of the next look."""

    def look(self, values_ns: np.ndarray) -> bool:
        """Look at a sample, and tell whether the estimate is tight.

        Args:
            values_ns: at least `next_at` values, in order of completion; those beyond are not looked at.
        """
        sample = values_ns[: self.next_at]
        self.number += 1
        self.count = n = len(sample)
        tail = self._tail(self.number)
        ordered = np.sort(sample)
        value = int(ordered[rank(n, self.percent) - 1])
        found = interval(n, correlation_time(sample > value), self.percent, tail)
        self.share = None
        if found is not None and value > 0:
            low, high = (int(ordered[place - 1]) for place in found)
            # The wider side: an interval that is short below and long above is not tight.
            self.share = max(value - low, high - value) / value
        self.tight = self.share is not None and self.share < self.goal.share
        self.next_at = math.ceil(self.next_at * GROWTH)
        return self.tight

    @staticmethod
    def _tail(number: int) -> Fraction:
        return Fraction(ALPHA / 2 * 6 / (math.pi * number) ** 2)
