"""The offset of another machine's clock from this machine's, from messages that go there and back.

The other clock is read once between two readings of this one. Whatever the two directions take, the reading was made
between them. So half of the round-trip time is a true bound of the error, not an estimate. The fastest of several
exchanges has the smallest bound.

Source: Cristian (1989), Probabilistic clock synchronization, § 3; RFC 5905 (NTP) § 8 takes the fastest, too.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """The number to add to a time of this machine to get the other clock's time, and its possible error; ns."""

    offset_ns: int = 0
    error_ns: int = 0

    @classmethod
    def of(cls, sent: int, answered: int, received: int) -> "Offset":
        """Compare the clocks in one exchange.

        Args:
            sent, received: by our clock, before and after.            answered: what the other clock showed in between.
        """
        return cls(offset_ns=answered - (sent + received) // 2, error_ns=(received - sent + 1) // 2)

    def better(self, other: "Offset") -> "Offset":
        """Return the more accurate of two offsets."""
        return other if other.error_ns < self.error_ns else self

    def drifted(self, later: "Offset") -> "Offset":
        """Return this offset with the additional error that a later comparison shows.

        If the bounds of the two overlap, there is no sign of a drift.
        """
        apart = abs(later.offset_ns - self.offset_ns) - later.error_ns - self.error_ns
        return Offset(offset_ns=self.offset_ns, error_ns=self.error_ns + max(0, apart))
