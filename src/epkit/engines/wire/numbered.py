"""Connections that write a number into the id of each request, and expect a reply that repeats it.

A request is two constant texts with the number between them (`epkit.core.http.request_ids`). If a server echoes the id,
no two header blocks are equal, but they differ only in the number. So the text around the number is remembered, and the
expected block has the number of this request in between. If the server echoes nothing, blocks are compared as usual.
"""

from typing import TYPE_CHECKING, cast

from epkit.engines.base import Arrival
from epkit.engines.wire.connection import NOTHING, Connection, HeadConnection, clock

if TYPE_CHECKING:
    from epkit.engines.stamps import Stamps
    from epkit.engines.wire.wire import WireEngine


class NumberedConnection(Connection):
    """A connection for a run whose requests have ids."""

    __slots__ = ("around", "began", "digits", "number", "stamp")

    def __init__(self, engine: "WireEngine") -> None:
        super().__init__(engine)
        stamps = cast("Stamps", engine.stamps)
        self.digits, self.began, self.stamp = stamps.digits, stamps.began, stamps.next
        self.number = b""
        self.around: list[bytes] = []

    def send(self, arrival: Arrival) -> None:
        """Send a request with its number, which is its start time."""
        self.due, self.payload, request = arrival
        self.request = request
        self.received = 0
        self.body = b""
        self.complete = False
        self.number = number = self.digits % (self.start - self.began)
        write = self.write
        write(request.before + number + request.after)  # type: ignore[attr-defined] # a NumberedRequest
        self.sent = clock()

    def data_received(self, data: bytes) -> None:
        """Do the same as `Connection`, but compare the header block around the number."""
        # `Connection`'s method is not called: a call costs as much as everything that differs.
        try:
            self.end = now = clock()
            if (
                len(data) == self.like_bytes
                and not self.received
                and data.startswith(like := self.number.join(self.around) if self.around else self.like)
            ):
                self.first = now
                self.head = data
                self.received = len(data)
                self.body = data[len(like) :]
                self.complete = True
            elif not self._parse(data, now):
                return
            engine = self.engine
            done = engine.done
            done(self)
            if not self.keep:
                self._part()
                return
            following = engine.next
            stamp = self.stamp
            now = stamp()
            arrival = following(now)
            if arrival is None:
                self.body = b""
                engine.park(self)
                return
            self.start = self.tcp = self.connected = now
            self.send(arrival)
        except BaseException as error:  # noqa: BLE001 - of the driver, or a sink: it ends the run
            self.engine.crash(error)

    def _learn(self, data: bytes) -> None:
        """Remember the text of a header block around the number."""
        super()._learn(data)
        if self.like_bytes != NOTHING:
            pieces = self.like.split(self.number)
            self.around = pieces if len(pieces) > 1 else []


class NumberedHeadConnection(HeadConnection, NumberedConnection):
    """The same for HEAD."""

    __slots__ = ()
