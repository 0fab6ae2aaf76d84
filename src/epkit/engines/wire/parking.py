"""Parks the slots of the wire engine for which the driver has no request yet; one timer wakes them."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from epkit.engines.base import FOREVER, Arrival
from epkit.engines.wire.connection import Connection, clock

if TYPE_CHECKING:
    from epkit.engines.wire.wire import WireEngine

COARSE_NS: Final = 1_500_000
"""Below this distance from a time, the loop turns without sleep: its timers have a resolution of one millisecond."""


class Parking:
    """The resting slots, and the timer that wakes them."""

    def __init__(self, engine: "WireEngine") -> None:
        self._engine = engine
        self._slots: list[Connection | None] = []
        self._handle: asyncio.Handle | None = None
        self._until = FOREVER
        self.rest: Callable[[int], int | None] = nothing

    def add(self, connection: Connection | None) -> None:
        """Park a slot, or retire it if the driver decides so."""
        until = self.rest(clock())
        if until is not None:
            self._slots.append(connection)
            self._set_timer(until)
            return
        if connection is not None:
            connection.close()
        self._engine.retire()

    def wake(self) -> None:
        """Give arrivals to slots while there are both; the slot that was parked last is first."""
        engine, slots = self._engine, self._slots
        stamp = engine.stamp
        while slots:
            now = stamp()
            arrival = engine.next(now)
            if arrival is not None:
                self._send(slots.pop(), arrival, now)
                continue
            until = self.rest(now)
            if until is not None:
                self._set_timer(until)
                return
            while slots:
                connection = slots.pop()
                if connection is not None:
                    connection.close()
                engine.retire()

    def close(self) -> None:
        """Cancel the timer."""
        if self._handle is not None:
            self._handle.cancel()

    def _send(self, connection: Connection | None, arrival: Arrival, now: int) -> None:
        if connection is not None and connection.keep and not connection.transport.is_closing():
            connection.start = connection.tcp = connection.connected = now
            connection.send(arrival)
            return
        if connection is not None:
            connection.close()
        self._engine.open(arrival)

    def _set_timer(self, until: int) -> None:
        """Wake at the earliest time that `rest` has returned."""
        if until >= self._until:
            return
        self.close()
        self._until = until
        self._turn(until - clock())

    def _turn(self, left: int) -> None:
        loop = asyncio.get_running_loop()
        if left > COARSE_NS:
            self._handle = loop.call_later((left - 1_000_000) / 1e9, self._look)
        else:
            self._handle = loop.call_soon(self._look)

    def _look(self) -> None:
        left = self._until - clock()
        if left > 0:
            self._turn(left)
            return
        self._handle, self._until = None, FOREVER
        self.wake()


def nothing(*_: object) -> None:
    """Return None, in place of a method of a driver that has nothing left, never lets a slot rest, or was abandoned."""
