"""What an engine is: it owns slots (connections), and asks a driver two things for each of them.

A slot calls `driver.next(now)` when it is free: an `Arrival` says what to send and since when that is due; None
retires the slot, unless the driver is a `PacingDriver` that has it wait. When the request is over, in whatever way,
the slot fills in its `Exchange` and calls `driver.done(exchange)`, exactly once per arrival. Both calls are
synchronous and are made from the engine's own completion callback, so that nothing is awaited, scheduled or allocated
between two requests.

A failed request is data. What a driver or a sink raises is a crash of ours, wherever it happens: a transport would take
an OSError for the end of its connection, and the loop would log what a timer raises while the run waits for ever. So
every call of a driver, and whatever else runs from the loop, is made where `Engine.crash` gets what it raises.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias, runtime_checkable

from epkit.core.http.destination import Destination
from epkit.core.http.request import Request
from epkit.core.samples.rows import Failure
from epkit.engines.stamps import Stamps

Arrival: TypeAlias = tuple[int, int, Request]
"""A planned request: `time.perf_counter_ns` of when it should start (in the past or now), index of its payload,
what is sent. A bare tuple, because one is made for every request."""


FOREVER: Final = 2**63 - 1
"""A time that does not come: a slot that rests until then is only woken."""


INTERRUPTED: Final = "interrupted"
"""The detail of a failure that is our own doing: the run was ended."""


class Exchange:
    """The one request in flight on a slot, and what happened to it; reused for the slot's next request.

    The time points are those of `epkit.core.samples.rows`, but as `time.perf_counter_ns` gives them: the sink subtracts
    the beginning of the run from whole blocks. `failure` is what the engine knows (connect, tls, timeout,
    transport) or NONE; what the reply says is the driver's to judge. `head` is the raw header block as far as it
    was read (whole if the reply is), `body` the body without its transfer coding (a content coding is left on),
    `detail` the reason of a failure in words.
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
    """What decides when a request is due and what becomes of its outcome."""

    def begin(self) -> None:
        """Start the clock: names are looked up, the first request is about to go."""

    def next(self, now: int) -> Arrival | None:
        """Return the next request of a free slot, or None when there is none left."""

    def done(self, exchange: Exchange) -> None:
        """Take the outcome of a request; *exchange* is reused afterwards."""


@runtime_checkable
class PacingDriver(Driver, Protocol):
    """A driver that does not always have something for a free slot: for a rate, a wait, or work still to come.

    Where `next` has nothing, the engine asks `rest`. A slot that rests is parked, with its connection if it has one,
    and costs nothing. Parked slots ask again at the earliest time that was named, and whenever somebody calls the
    engine's `wake`; `next` is then called until it has nothing more.
    """

    def rest(self, now: int) -> int | None:
        """Say until when a free slot rests (`time.perf_counter_ns`, or `FOREVER`); None retires it."""


@dataclass(slots=True, kw_only=True)
class Traffic:
    """What an engine counted in addition to the samples.

    Args:
        connections: opened successfully (TLS included).
        closed: replies after which the connection could not be used again.
        retried: requests sent again on a fresh connection because the old one was dead before a byte was written.
        unsolicited: replies that were followed by bytes nobody had asked for.
        tls: `TLSv1.3,TLS_AES_256_GCM_SHA384,256`: version, cipher, cipher bits; None without TLS.
    """

    connections: int = 0
    closed: int = 0
    retried: int = 0
    unsolicited: int = 0
    tls: str | None = None


class Engine(Protocol):
    """What sends requests. Constructed with a `Destination`, a timeout in ns, and whether to keep connections.

    Before `run` it may be given `stamps`, for requests with ids: then each is a `NumberedRequest`, and starts at a time
    that these hand out, which is the number in its id. The driver tells them in its `begin` when the run began.
    """

    name: str
    traffic: Traffic
    stamps: Stamps | None

    async def prepare(self) -> None:
        """Look the host's name up, so that `run` begins at once; may be left out.

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
        """Have parked slots ask the driver again; called on the engine's own loop."""

    def stop(self, *, drain: bool) -> None:
        """Ask a running `run` to end: take no more arrivals; without *drain*, abort what is in flight too."""

    def crash(self, error: BaseException) -> None:
        """End a running `run`, which raises *error*; the driver is called no more. The first error counts."""

    def soon(self, call: Callable[[], None]) -> None:
        """Call something once the replies that are there have been dealt with; what it raises crashes the run."""


class CrashingEngine:
    """What engines have in common: what they are made of, and what happens when a driver or a sink raises something."""

    def __init__(self, destination: Destination, *, timeout_ns: int, keepalive: bool = True) -> None:
        self.destination, self.timeout_ns, self.keepalive = destination, timeout_ns, keepalive
        self.traffic = Traffic()
        self.stamps: Stamps | None = None
        self.crashed: BaseException | None = None

    def crash(self, error: BaseException) -> None:
        """End a running `run`, which raises *error*."""
        if self.crashed is None:
            self.crashed = error
            self.abandon()

    def abandon(self) -> None:
        """Call the driver no more, and have `run` end."""
        raise NotImplementedError

    def soon(self, call: Callable[[], None]) -> None:
        """Call something once the replies that are there have been dealt with."""
        asyncio.get_running_loop().call_soon(self._call, call)

    def _call(self, call: Callable[[], None]) -> None:
        if self.crashed is not None:
            return
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it ends the run
            self.crash(error)
