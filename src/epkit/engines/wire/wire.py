"""The wire engine: HTTP/1.1 directly on transports, parsed by llhttp, with as little Python as possible.

It owns the slots. A slot is one request in flight; one `Connection` after the other serves it. Only the opening of a
connection is a coroutine (`_serve`). From then on the connection goes from request to request by itself. When it cannot
continue (closed by the server, broken, timed out), the engine opens the next connection for its slot. Timeouts need no
timers: a periodic sweep checks when each request began. Slots for which the driver has no request yet are parked in
`Parking`, which has the only timer.

A proxy matters only for connecting: `Tunnels` opens a tunnel through it. A request that a proxy passes on already has
the form that the proxy needs (`epkit.core.http.request.build_for`).
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from epkit.core.http.destination import Destination
from epkit.core.samples.rows import Failure
from epkit.engines.base import (
    INTERRUPTED,
    Arrival,
    CrashingEngine,
    Driver,
    Exchange,
    LendingDriver,
    Loan,
    PacingDriver,
    Traffic,
)
from epkit.engines.wire.addresses import Address, Addresses
from epkit.engines.wire.connection import Connection, HeadConnection, clock
from epkit.engines.wire.lanes import COMPILED, lane_class
from epkit.engines.wire.numbered import NumberedConnection, NumberedHeadConnection
from epkit.engines.wire.parking import Parking, nothing
from epkit.engines.wire.tls import TlsTransport, describe, handshake, make_context, tls_reason, until
from epkit.engines.wire.tunnel import ProxyError, Tunnels, make_proxy_context, proxy_tls

if TYPE_CHECKING:
    from epkit.engines.wire.lane import Lane

SWEEP_S: Final = 0.05


class WireEngine(CrashingEngine):
    """HTTP/1.1 over plain TCP, TLS or a Unix socket, through a proxy or not, one request at a time on a connection."""

    name = "wire"

    def __init__(self, destination: Destination, *, timeout_ns: int, keepalive: bool = True) -> None:
        super().__init__(destination, timeout_ns=timeout_ns, keepalive=keepalive)
        self.connections: set[Connection] = set()
        self.held = 0  # bytes of all unfinished replies
        self._addresses = Addresses(destination)
        self._tunnels = Tunnels(destination) if destination.is_tunnelled else None
        # The context for TLS, if any: with the server, or with the proxy that reads the requests.
        self._context: ssl.SSLContext | None = None
        self._tls, self._name = destination.tls, destination.host
        proxy = destination.proxy
        if destination.scheme == "https":
            self._context = make_context(destination.tls)
        elif proxy is not None and proxy.scheme == "https":
            self._context = make_proxy_context(proxy, destination.tls)
            self._tls, self._name = proxy_tls(proxy), proxy.host
        self._opening: set[asyncio.Task[None]] = set()
        self._parking = Parking(self)
        self.stamp: Callable[[], int] = clock  # returns the start time of a request
        self._kinds: tuple[type[Connection], type[Connection]] = Connection, HeadConnection
        self._stopped = False
        self._lane_class = lane_class()  # also for TLS, which it does not serve: a wrong choice is refused
        self._lane: Lane | None = None
        self.lend: Callable[[], Loan | None] = nothing

    async def prepare(self) -> None:
        """Look the host's name up.

        Raises:
            EndpointError: it has no address.
        """
        await self._addresses.resolve()

    async def run(self, driver: Driver, slots: int) -> Traffic:
        """Serve *driver* with *slots* slots until each is retired.

        Raises:
            EndpointError: the host has no address.
        """
        if not self._addresses.known:
            await self.prepare()
        self._loop = asyncio.get_running_loop()
        self._finished = self._loop.create_future()
        self.slots = slots
        # Stored as attributes, because each is called once per request; `stop` replaces the first one, a crash both.
        # A `stop` during the look-up of the name counts too.
        self.next: Callable[[int], Arrival | None] = nothing if self._stopped else driver.next
        self.done: Callable[[Exchange], None] = driver.done
        self._parking.rest = driver.rest if isinstance(driver, PacingDriver) and not self._stopped else nothing
        self._loop.set_exception_handler(self._heard)
        self._lane = self._make_lane(driver)
        sweep = self._loop.create_task(self._sweep())
        try:
            driver.begin()
            if self.stamps is not None:
                self.stamp, self._kinds = self.stamps.next, (NumberedConnection, NumberedHeadConnection)
            for _ in range(slots):
                self.go_on()
            await self._finished
        finally:
            self._parking.close()
            for task in (sweep, *self._opening):
                task.cancel()
            await asyncio.gather(sweep, *self._opening, return_exceptions=True)
            for connection in tuple(self.connections):
                connection.close()
            if self._tunnels is not None:
                self._tunnels.close()
            await self._addresses.close()
            # Closed transports call their protocols once more; this must happen before the loop ends.
            await asyncio.sleep(0)
            if self._lane is not None:
                self._lane.close()
            self._loop.set_exception_handler(None)
        if self.crashed is not None:
            raise self.crashed
        return self.traffic

    def stop(self, *, drain: bool) -> None:
        """Take no more arrivals; without *drain*, end the requests in flight as failed at once."""
        self._stopped = True
        self.next = self.lend = nothing
        self._sync()
        self._parking.rest = nothing
        self.wake()
        if not drain:
            for task in tuple(self._opening):
                task.cancel()
            for connection in tuple(self.connections):
                connection.give_up(Failure.TRANSPORT, INTERRUPTED)

    def wake(self) -> None:
        """Let parked slots ask the driver again."""
        self._parking.wake()

    def _make_lane(self, driver: Driver) -> "Lane | None":
        """Return the compiled transports, if the driver and the connections are of their kind."""
        if self._lane_class is None or self._context is not None or not self.keepalive or self.stamps is not None:
            return None
        if not isinstance(driver, LendingDriver):
            return None
        try:
            lane: Lane = self._lane_class(self._loop, self, driver)
        except OSError:
            return None
        self.name = COMPILED
        self.over = driver.over
        if not self._stopped:
            self.lend = driver.lend
        return lane

    def _sync(self) -> None:
        """Write the state of all requests in flight into their connections."""
        if self._lane is not None:
            self._lane.sync()

    # Called by connections.

    def end(self, exchange: Exchange) -> None:
        """Pass an exchange that ended in an unusual way to the driver."""
        try:
            self.done(exchange)
        except BaseException as error:  # noqa: BLE001 - it ends the run
            self.crash(error)

    def go_on(self) -> None:
        """Take the next arrival for a slot without a connection, or park the slot."""
        try:
            arrival = self.next(clock())
            if arrival is None:
                self.park(None)
            else:
                self.open(arrival)
        except BaseException as error:  # noqa: BLE001 - it ends the run
            self.crash(error)

    def follow(self, connection: Connection) -> None:
        """Let a connection go on whose reply the lane has handled."""
        connection.complete = True
        self.over()
        now = clock()
        arrival = self.next(now)
        if arrival is None:
            self.park(connection)
            return
        connection.start = connection.tcp = connection.connected = now
        connection.send(arrival)

    def park(self, connection: Connection | None) -> None:
        """Park a slot for which there is no request, with its idle connection if it has one; or retire it."""
        self._parking.add(connection)

    def open(self, arrival: Arrival) -> None:
        """Open a connection for an arrival."""
        task = self._loop.create_task(self._serve(arrival))
        self._opening.add(task)
        task.add_done_callback(self._opened)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.crash(error)

    def _heard(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Crash with the exception of another callback: the loop would only log it, and the run would wait forever."""
        self.crash(context.get("exception") or RuntimeError(context.get("message")))

    def abandon(self) -> None:
        """Stop calling the driver, and end `run`."""
        self.next = self.lend = self._parking.rest = self.done = nothing
        if not self._finished.done():
            self._finished.set_result(None)

    def retire(self) -> None:
        """Reduce the number of slots by one."""
        self.slots -= 1
        if not self.slots and not self._finished.done():
            self._finished.set_result(None)

    # The opening of a connection.

    async def _serve(self, arrival: Arrival | None) -> None:
        while arrival is not None:
            connection = self._kinds[arrival[2].method == "HEAD"](self)
            x: Exchange = connection
            x.due, x.payload, _ = arrival
            x.start = x.tcp = self.stamp()
            try:
                async with asyncio.timeout(self.timeout_ns / 1e9):
                    await self._connect(connection)
            except TimeoutError:
                by = " through the proxy" if self._at_proxy(x) else ""
                x.failure, x.detail = Failure.TIMEOUT, f"no connection{by} within {self.timeout_ns / 1e9:g} s"
            except ProxyError as error:
                x.failure, x.detail = error.failure, str(error)
            except ssl.SSLError as error:
                x.failure, x.detail = Failure.TLS, self._whose(x) + tls_reason(error)
            except OSError as error:
                x.failure = Failure.CONNECT if x.tcp == x.start else Failure.TLS
                x.detail = self._whose(x) + (os.strerror(error.errno) if error.errno else str(error)).lower()
            except asyncio.CancelledError:
                x.failure, x.detail = Failure.TRANSPORT, INTERRUPTED
            else:
                x.connected = clock()
                if self._context is None:
                    x.tcp = x.connected  # the creation of a transport is a part of connecting
                self.traffic.connections += 1
                self.connections.add(connection)
                connection.send(arrival)
                return
            x.connected = x.sent = x.first = x.tcp
            x.end = clock()
            self.done(x)
            arrival = self.next(clock())
            await asyncio.sleep(0)
        self.park(None)

    def _at_proxy(self, x: Exchange) -> bool:
        """Tell whether a new connection is not through the proxy yet."""
        return self.destination.proxy is not None and (self._tunnels is None or x.tcp == x.start)

    def _whose(self, x: Exchange) -> str:
        """Return the prefix of a message about a failed connection: `proxy: ` if the proxy failed, not the server."""
        return "proxy: " if self._at_proxy(x) else ""

    async def _connect(self, connection: Connection) -> None:
        """Connect to the first address that accepts.

        Raises:
            ProxyError: the proxy opens no tunnel, and would open none at its other addresses.
            OSError: no address accepts; this is the error of the last one.
        """
        refused: OSError | None = None
        for address in self._addresses.turn():
            try:
                await self._connect_to(address, connection)
            except ssl.SSLError:
                raise
            except OSError as error:
                if connection.tcp != connection.start:
                    raise
                refused = error
                self._addresses.refuse(address)
            else:
                return
        assert refused is not None
        raise refused

    async def _connect_to(self, address: Address, connection: Connection) -> None:
        to = self.destination
        family, where = address
        if self._lane is None and self._context is None and family != socket.AF_UNIX and to.buffer_bytes is None:
            # The loop's own connect takes half the time that a socket made here would.
            bind = None if to.bind is None else (to.bind, 0)
            await self._loop.create_connection(lambda: connection, where[0], where[1], family=family, local_addr=bind)
            return
        sock = await self._open_socket(family, where)
        if self._tunnels is not None:
            sock = await self._tunnels.open(self._loop, sock)
        connection.tcp = clock()
        if self._context is None:
            try:
                if self._lane is not None:
                    self._lane.open(sock, connection)
                else:
                    await self._loop.create_connection(lambda: connection, sock=sock)
            except BaseException:
                sock.close()
                raise
        else:
            secured = await handshake(self._loop, sock, self._context, self._tls, self._name)
            if self.traffic.tls is None:
                self.traffic.tls = describe(secured)
            TlsTransport(self._loop, secured, connection)

    async def _open_socket(self, family: int, where: Any) -> socket.socket:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            self._set_options(sock, family)
            try:
                sock.connect(where)
            except BlockingIOError:
                await until(self._loop.add_writer, self._loop.remove_writer, sock.fileno(), self._loop)
                failed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if failed:
                    raise OSError(failed, os.strerror(failed)) from None
        except BaseException:
            sock.close()
            raise
        return sock

    def _set_options(self, sock: socket.socket, family: int) -> None:
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.destination.buffer_bytes is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.destination.buffer_bytes)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.destination.buffer_bytes)
        if self.destination.bind is not None:
            sock.bind((self.destination.bind, 0))

    async def _sweep(self) -> None:
        """Let requests fail whose time is over: at most `SWEEP_S`, or a twentieth of the timeout, too late."""
        interval = min(SWEEP_S, max(0.002, self.timeout_ns / 20e9))
        while True:
            await asyncio.sleep(interval)
            self._sync()
            late = clock() - self.timeout_ns
            for connection in [c for c in self.connections if c.start < late]:
                connection.give_up(Failure.TIMEOUT, f"no whole reply within {self.timeout_ns / 1e9:g} s")
