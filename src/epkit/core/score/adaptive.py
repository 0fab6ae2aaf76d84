"""The concurrency that an endpoint can bear, found as TCP finds its window: up in steps, down by halves."""


class ConcurrencyWindow:
    """Additive increase, multiplicative decrease of the concurrency.

    The window is halved when the endpoint refuses because it is full. It grows by one for each window of successes, up
    to the requested concurrency. A request that was sent before the last decrease does not change the window: if all
    requests of one window are refused, it is halved once.

    Source: Chiu and Jain (1989), "Analysis of the increase and decrease algorithms for congestion avoidance".
    """

    def __init__(self, most: int) -> None:
        """Start with the whole concurrency.

        Args:
            most: ≥ 0.
        """
        self._most = float(most)
        self._size = float(most)
        self._decreased = -1
        self.size = most
        """Greatest number of requests in flight now."""

    def succeeded(self) -> bool:
        """Count a success; return whether there is room for one more request now."""
        if self._size >= self._most:
            return False
        self._size = min(self._most, self._size + 1 / self._size)
        grown = int(self._size) > self.size
        self.size = int(self._size)
        return grown

    def refused(self, sent: int, now: int) -> None:
        """Count a refusal.

        Args:
            sent: when the refused request was sent, on the clock of *now*.
        """
        if sent <= self._decreased:
            return
        self._decreased = now
        self._size = min(self._most, max(1.0, self._size / 2))
        self.size = int(self._size)

    def limit(self, most: int) -> None:
        """Change the requested concurrency: a full window stays full, a reduced one grows as before.

        Args:
            most: ≥ 0.
        """
        whole = self._size >= self._most
        self._most = float(most)
        self._size = self._most if whole else min(self._size, self._most)
        self.size = int(self._size)
