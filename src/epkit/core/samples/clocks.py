"""The offset of another machine's clock from ours, from messages that go there and back.

The other clock is read once between our two readings. Whatever the way took in either direction, the reading was made
somewhere between them, so that half the time it took is a bound of the error and not an estimate of it. The fastest of
several exchanges has the smallest bound.

Source: Cristian (1989), Probabilistic clock synchronization, § 3; RFC 5905 (NTP) § 8 takes the fastest, too.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """What has to be added to a time of ours to have the other clock's, and how wrong that may be; ns."""

    offset_ns: int = 0
    error_ns: int = 0

    @classmethod
    def of(cls, sent: int, answered: int, received: int) -> "Offset":
        """Compare clocks by one exchange.

        Args:
            sent, received: by our clock, before and after.            answered: what the other clock showed in between.
        """
        return cls(offset_ns=answered - (sent + received) // 2, error_ns=(received - sent + 1) // 2)

    def better(self, other: "Offset") -> "Offset":
        """Return the more certain of two."""
        return other if other.error_ns < self.error_ns else self

    def drifted(self, later: "Offset") -> "Offset":
        """Return this one with the doubt that a later comparison adds: how far apart the two may be.

        Where their bounds overlap nothing shows that the clocks have drifted.
        """
        apart = abs(later.offset_ns - self.offset_ns) - later.error_ns - self.error_ns
        return Offset(offset_ns=self.offset_ns, error_ns=self.error_ns + max(0, apart))
