"""A stop rule that checks at fixed, growing sample sizes, each time with a part of the allowed error.

Checking often and stopping at the first narrow interval would stop by luck. Here the k-th check, at a sample 1.5 times
as large as the last one, uses an interval with confidence 1 − α 6 / (π k)². So all checks together are wrong in at most
the fraction α of the runs, however many checks there are.

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
    """Decides when an estimate is good enough."""

    def __init__(self, goal: Tight) -> None:
        """Prepare the checks. `number` is the number of checks so far, `share` the half width at the last one."""
        self.goal = goal
        self.percent = Fraction(goal.key)
        self.number = 0
        self.share: float | None = None
        self.count = 0
        self.tight = False
        self.next_at = max(LEAST, floor(self.percent, self._tail(1)))
        """The sample size of the next look."""

    def look(self, values_ns: np.ndarray) -> bool:
        """Check a sample, and tell whether the estimate is good enough.

        Args:
            values_ns: at least `next_at` values, in order of completion; later ones are ignored.
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
            # The wider side counts: an interval that is narrow on one side only is not narrow.
            self.share = max(value - low, high - value) / value
        self.tight = self.share is not None and self.share < self.goal.share
        self.next_at = math.ceil(self.next_at * GROWTH)
        return self.tight

    @staticmethod
    def _tail(number: int) -> Fraction:
        return Fraction(ALPHA / 2 * 6 / (math.pi * number) ** 2)
