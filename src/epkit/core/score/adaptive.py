"""How many requests an endpoint can bear at once, found as TCP finds its window: up by steps, down by halves."""


class ConcurrencyWindow:
    """Additive increase, multiplicative decrease of the concurrency.

    Halved when the endpoint refuses for want of room, and raised by one for each window's worth of successes, never
    over what was asked for. What was sent before the last decrease says nothing about the window after it: a storm of
    refusals for one window halves once.

    Source: Chiu and Jain (1989), "Analysis of the increase and decrease algorithms for congestion avoidance".
    """

    def __init__(self, most: int) -> None:
        """Begin with the whole concurrency.

        Args:
            most: ≥ 0.
        """
        self._most = float(most)
        self._size = float(most)
        self._decreased = -1
        self.size = most
        """Requests that may be under way at once."""

    def succeeded(self) -> bool:
        """Take note of a success; tell whether there is room for one more request now."""
        if self._size >= self._most:
            return False
        self._size = min(self._most, self._size + 1 / self._size)
        grown = int(self._size) > self.size
        self.size = int(self._size)
        return grown

    def refused(self, sent: int, now: int) -> None:
        """Take note of a refusal.

        Args:
            sent: when the request that was refused had gone out, on the clock of *now*.
        """
        if sent <= self._decreased:
            return
        self._decreased = now
        self._size = min(self._most, max(1.0, self._size / 2))
        self.size = int(self._size)

    def limit(self, most: int) -> None:
        """Ask for another concurrency from now on: what was whole is whole, what was reduced grows as before.

        Args:
            most: ≥ 0.
        """
        whole = self._size >= self._most
        self._most = float(most)
        self._size = self._most if whole else min(self._size, self._most)
        self.size = int(self._size)
