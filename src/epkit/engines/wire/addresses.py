"""Where connections go: the addresses of a name, taken in turn and looked up again from time to time."""

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
"""Address family, and what `connect` takes for it."""

REFRESH_NS: Final = 30 * 10**9
"""After this long the name is looked up again: a load balancer moves, and a long run should notice."""


async def look_up(destination: Destination) -> tuple[Address, ...]:
    """Return the addresses of a destination, or of its proxy, in the system's order.

    Raises:
        OSError, UnicodeError: it has none.
    """
    if destination.unix is not None:
        return ((socket.AF_UNIX, destination.unix),)
    host, port = destination.first_hop
    found = await _ask(host, port)
    return tuple(dict.fromkeys((family, address) for family, _, _, _, address in found))


async def _ask(host: str, port: int) -> list[Any]:
    """Ask the system, on a thread that is left to itself if nobody waits any more.

    A loop's own threads are waited for when the loop ends, and a name server that is away takes its time.
    """
    loop = asyncio.get_running_loop()
    name = host.encode() if host.isascii() else host  # as a text Python would load its tables of international names
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def ask() -> None:
        found: list[Any] | Exception
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop is over
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
    """The addresses of a destination, or of its proxy: round robin over those that work."""

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
        """Return the addresses in the order in which a new connection should try them."""
        if time.perf_counter_ns() > self._refresh_at and self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(self._refresh())
        order = list(self._found)
        self._found.rotate(-1)
        return order

    def refuse(self, address: Address) -> None:
        """Forget an address that refused, as long as another is left."""
        if len(self._found) > 1 and address in self._found:
            self._found.remove(address)

    async def _refresh(self) -> None:
        try:
            await self.resolve()
        except EndpointError:
            # The old addresses still serve; a name server that is away must not end a run.
            self._refresh_at = time.perf_counter_ns() + REFRESH_NS
        finally:
            self._refreshing = None

    async def close(self) -> None:
        """End a look-up that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
