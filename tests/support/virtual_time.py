"""An event loop and a server with virtual time: nothing waits, and tests set every duration to the nanosecond."""

import asyncio
import heapq
import itertools
import selectors
from collections.abc import Callable, Sequence
from typing import Any, Final

TURN_NS: Final = 10_000
"""Duration of a turn of the loop that does not wait, in ns; multiples of it are reached exactly."""


class VirtualClock:
    """Virtual time, which passes when the loop waits; replaces the module `time`.

    Args:
        now: time in ns.
        reading_ns: duration of each reading of the clock, for code that reads it until a certain time.
    """

    def __init__(self, now: int, *, reading_ns: int = 0) -> None:
        self.now = now
        self._reading_ns = reading_ns
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._number = itertools.count()

    def perf_counter_ns(self) -> int:
        """Return the time, ns."""
        self.now += self._reading_ns
        return self.now

    def process_time(self) -> float:
        """Return the CPU time of the process, in s; it is always 0."""
        return 0.0

    def at(self, when: int, call: Callable[[], None]) -> None:
        """Call a function at a time, in ns."""
        heapq.heappush(self._events, (when, next(self._number), call))

    def wait(self, timeout_s: float | None) -> None:
        """Move the time forward to the next event, or by the timeout of the loop's wait."""
        turns = 1 if timeout_s is None else max(1, -(-round(timeout_s * 1e9) // TURN_NS))
        until = self.now + turns * TURN_NS
        if self._events and self._events[0][0] <= until:
            self.now, _, call = heapq.heappop(self._events)
            call()
        else:
            self.now = until


class _Selector(selectors.DefaultSelector):  # type: ignore[valid-type,misc]
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        self._clock.wait(timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop with virtual time in which every connection leads to one server with given durations.

    Args:
        connecting_ns: duration of connecting, for every connection.
        serving_ns: durations from the last byte of a request to its reply, in order of the requests.
        reply: the bytes of each reply.
    """

    def __init__(self, clock: VirtualClock, *, connecting_ns: int, serving_ns: Sequence[int], reply: bytes) -> None:
        super().__init__(_Selector(clock))
        self.clock = clock
        self._connecting_ns, self._serving_ns, self._reply = connecting_ns, iter(serving_ns), reply

    def time(self) -> float:
        """Return the loop's time, s."""
        return self.clock.now / 1e9

    async def create_connection(self, make: Callable[[], Any], *_: Any, **__: Any) -> Any:  # type: ignore[override]
        """Make a connection to the only server."""
        made = self.create_future()
        self.clock.at(self.clock.now + self._connecting_ns, lambda: made.set_result(None))
        await made
        protocol = make()
        transport = _Transport(self, protocol)
        protocol.connection_made(transport)
        return transport, protocol

    def answer(self, protocol: Any) -> None:
        """Reply to a request that was just written."""
        self.clock.at(self.clock.now + next(self._serving_ns), lambda: protocol.data_received(self._reply))


class _Transport(asyncio.Transport):
    """The client's end of a connection; each write is one complete request."""

    def __init__(self, loop: VirtualLoop, protocol: Any) -> None:
        super().__init__()
        self._loop, self._protocol, self._closing = loop, protocol, False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        self._loop.answer(self._protocol)

    def is_closing(self) -> bool:
        return self._closing

    def abort(self) -> None:
        self._closing = True
