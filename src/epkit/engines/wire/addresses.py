"""The addresses to connect to: those of a name, used in turn, and looked up again from time to time."""

import asyncio
import contextlib
import socket
import threading
import time
from collections import deque
from typing import Any, Final, TypeAlias

from epkit.core.http.destination import Destination
from epkit.errors import EndpointError

Address: TypeAlias = tuple[int, Any]
"""Address family, and the argument of `connect`."""

REFRESH_NS: Final = 30 * 10**9
"""The name is looked up again after this time: a long run should notice when a load balancer changes its address."""


async def look_up(destination: Destination) -> tuple[Address, ...]:
    """Return the addresses of a destination, or of its proxy, in the system's order.

    Raises:
        OSError, UnicodeError: it has no address.
    """
    if destination.unix is not None:
        return ((socket.AF_UNIX, destination.unix),)
    host, port = destination.first_hop
    found = await _ask(host, port)
    return tuple(dict.fromkeys((family, address) for family, _, _, _, address in found))


async def _ask(host: str, port: int) -> list[Any]:
    """Ask the system in a separate thread, which is abandoned if its result is not needed any more.

    A loop waits for its own threads when it ends, and a name server that is down takes a long time.
    """
    loop = asyncio.get_running_loop()
    name = host.encode() if host.isascii() else host  # for str, Python would load its tables of international names
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def ask() -> None:
        found: list[Any] | Exception
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(_settle, answer, found)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    return await answer


def _settle(answer: "asyncio.Future[list[Any]]", found: list[Any] | Exception) -> None:
    if answer.done():
        return
    if isinstance(found, Exception):
        answer.set_exception(found)
    else:
        answer.set_result(found)


class Addresses:
    """The addresses of a destination, or of its proxy; working ones are used in turn."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._found: deque[Address] = deque()
        self._refresh_at = 0
        self._refreshing: asyncio.Task[None] | None = None

    async def resolve(self) -> None:
        """Look the name up.

        Raises:
            EndpointError: it has no address.
        """
        to = self._destination
        try:
            self._found = deque(await look_up(to))
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            whose, check = ("", "its spelling") if to.proxy is None else ("proxy: ", "-X")
            raise EndpointError(
                f"{whose}{to.first_hop[0]}: the name has no address ({reason}): check {check}, and the network"
            ) from None
        self._refresh_at = 2**63 if to.unix is not None else time.perf_counter_ns() + REFRESH_NS

    @property
    def known(self) -> bool:
        """Whether the name has been looked up."""
        return bool(self._found)

    def turn(self) -> list[Address]:
        """Return the addresses in the order in which a new connection tries them."""
        if time.perf_counter_ns() > self._refresh_at and self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh())
        order = list(self._found)
        self._found.rotate(-1)
        return order

    def refuse(self, address: Address) -> None:
        """Remove an address that refused, unless it is the last one."""
        if len(self._found) > 1 and address in self._found:
            self._found.remove(address)

    async def _refresh(self) -> None:
        try:
            await self.resolve()
        except EndpointError:
            # The old addresses still work; a name server that is down must not end a run.
            self._refresh_at = time.perf_counter_ns() + REFRESH_NS
        finally:
            self._refreshing = None

    async def close(self) -> None:
        """Cancel a look-up."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
