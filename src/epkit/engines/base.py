"""The interface of an engine: it owns slots (connections), and calls two methods of a driver for each of them.

A free slot calls `driver.next(now)`. An `Arrival` contains the request to send and the time when it is due. None
retires the slot, unless the driver is a `PacingDriver` that lets it wait. When the request has ended in any way, the
slot fills in its `Exchange` and calls `driver.done(exchange)`, exactly once per arrival. Both calls are synchronous, in
the engine's own completion callback. So nothing is awaited, scheduled or allocated between two requests.

A failed request is data. An exception of a driver or a sink is a bug in epkit, wherever it happens. A transport would
take an OSError for the end of its connection; the loop would only log the exception of a timer, and the run would wait
forever. So every call of a driver, and all else that the loop calls, passes its exceptions to `Engine.crash`.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

from epkit.core.http.destination import Destination
from epkit.core.http.request import Request
from epkit.core.samples.rows import Failure
from epkit.engines.stamps import Stamps

Arrival: TypeAlias = tuple[int, int, Request]
"""A planned request: the time when it should start (`time.perf_counter_ns`, past or now), the index of its payload, and
the request. It is a plain tuple, because one is made for every request."""


FOREVER: Final = 2**63 - 1
"""A time that never comes: a slot that rests until then ends its rest only when it is woken."""


INTERRUPTED: Final = "interrupted"
"""Detail of a failure that epkit itself causes: the run was ended."""


class Exchange:
    """The request in flight on a slot, and what happened to it; it is reused for the slot's next request.

    The points of time are those of `epkit.core.samples.rows`, but as values of `time.perf_counter_ns`: the start of the
    run is subtracted from whole blocks later. `failure` is a failure that the engine sees (connect, tls, timeout,
    transport), or NONE; the driver judges the reply. `head` is the raw header block as far as it was read (complete if
    the reply is). `body` is the body without its transfer coding, but with its content coding. `detail` is the reason
    of a failure as text.
    """

    __slots__ = (
        "body", "connected", "detail", "due", "end", "failure", "first", "head", "payload", "received", "sent",
        "start", "status", "tcp",
    )  # fmt: skip

    def __init__(self) -> None:
        self.due = self.start = self.tcp = self.connected = self.sent = self.first = self.end = 0
        self.payload = self.received = self.status = 0
        self.failure = Failure.NONE
        self.head = self.body = b""
        self.detail = ""


class Driver(Protocol):
    """Decides when a request is due, and processes its outcome."""

    def begin(self) -> None:
        """Start the clock: names have been looked up, and the first request follows at once."""

    def next(self, now: int) -> Arrival | None:
        """Return the next request for a free slot; None if there is none left."""

    def done(self, exchange: Exchange) -> None:
        """Process the outcome of a request; *exchange* is reused afterwards."""


@runtime_checkable
class PacingDriver(Driver, Protocol):
    """A driver that sometimes has no request for a free slot: because of a rate, a wait, or work that comes later.

    If `next` returns None, the engine calls `rest`. A slot that rests is parked, with its connection if it has one, and
    uses no CPU. Parked slots ask again at the earliest time that `rest` has returned, and after each call of the
    engine's `wake`. Then `next` is called until it returns None.
    """

    def rest(self, now: int) -> int | None:
        """Return until when a free slot rests (`time.perf_counter_ns`, or `FOREVER`); None retires it."""


Loan: TypeAlias = tuple[bytearray, int, int, int, int, int, int, Sequence[Request]]
"""What a driver lends: the block of packed rows and the offset of the next one; the time after which the block is to be
flushed; the number of arrivals, and the time after which there is none; the payload of the next one, and the step to
the one after it; the requests by payload."""


@runtime_checkable
class LendingDriver(Driver, Protocol):
    """A driver that lends its numbers to a faster loop, which then does for usual replies what `next` and `done` do."""

    def lend(self) -> Loan | None:
        """Return the numbers; None if each outcome needs the driver, as in an open phase. `settle` ends the loan."""

    def settle(self, offset: int, left: int, payload: int) -> None:
        """Take back the numbers that the loan has changed."""

    def is_good(self, payload: int, body: bytes) -> bool:
        """Tell whether a reply of status 200 with this body was judged to be good, and always will be."""

    def flush(self) -> None:
        """Pass the rows so far on; called when the block is full, or its time has come."""

    def over(self) -> None:
        """Take note that a request is over whose row is stored, and that no other one follows it."""


@dataclass(slots=True, kw_only=True)
class Traffic:
    """An engine's counters in addition to the samples.

    Args:
        connections: connections that were opened successfully (with TLS).
        closed: replies after which the connection could not be used again.
        retried: requests sent again on a new connection, because the old one was closed before a byte was written.
        unsolicited: replies that were followed by unexpected bytes.
        tls: `TLSv1.3,TLS_AES_256_GCM_SHA384,256`: version, cipher, cipher bits; None without TLS.
    """

    connections: int = 0
    closed: int = 0
    retried: int = 0
    unsolicited: int = 0
    tls: str | None = None


class Engine(Protocol):
    """Sends requests. It is made with a `Destination`, a timeout in ns, and whether connections are kept.

    For requests with ids, `stamps` is set before `run`. Then each request is a `NumberedRequest`. It starts at a time
    that `stamps` returns, and this time is the number in its id. The driver's `begin` sets the start of the run in it.
    """

    name: str
    traffic: Traffic
    stamps: Stamps | None

    async def prepare(self) -> None:
        """Look the host's name up, so that `run` begins at once; this call is optional.

        Raises:
            EndpointError: the host has no address.
        """

    async def run(self, driver: Driver, slots: int) -> Traffic:
        """Serve *driver* with *slots* slots until each is retired; a failed request is data, never raised.

        Raises:
            EndpointError: the host has no address.
            UsageError: a certificate file cannot be used.
        """

    def wake(self) -> None:
        """Let parked slots ask the driver again; called in the engine's own loop."""

    def stop(self, *, drain: bool) -> None:
        """End a running `run`: take no more arrivals; without *drain*, also abort the requests in flight."""

    def crash(self, error: BaseException) -> None:
        """End a running `run`, which then raises *error*; the driver is not called again. The first error counts."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call a function when the pending replies have been handled; an exception of it crashes the run."""


class CrashingEngine:
    """The common part of engines: their parameters, and the handling of exceptions of a driver or a sink."""

    def __init__(self, destination: Destination, *, timeout_ns: int, keepalive: bool = True) -> None:
        self.destination, self.timeout_ns, self.keepalive = destination, timeout_ns, keepalive
        self.traffic = Traffic()
        self.stamps: Stamps | None = None
        self.crashed: BaseException | None = None

    def crash(self, error: BaseException) -> None:
        """End a running `run`, which then raises *error*."""
        if self.crashed is None:
            self.crashed = error
            self.abandon()

    def abandon(self) -> None:
        """Stop calling the driver, and end `run`."""
        raise NotImplementedError

    def soon(self, call: Callable[[], None]) -> None:
        """Call a function when the pending replies have been handled."""
        asyncio.get_running_loop().call_soon(self._call, call)

    def _call(self, call: Callable[[], None]) -> None:
        if self.crashed is not None:
            return
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it ends the run
            self.crash(error)
