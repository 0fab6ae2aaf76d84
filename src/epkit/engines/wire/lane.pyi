"""The types of the compiled module; the class `LaneTransport` is made only by `Lane.open`."""

import asyncio
import socket

from epkit.engines.base import LendingDriver
from epkit.engines.wire.connection import Connection
from epkit.engines.wire.wire import WireEngine

class Lane:
    """Reads for all transports of a run of an engine."""

    def __init__(self, loop: asyncio.AbstractEventLoop, engine: WireEngine, driver: LendingDriver) -> None:
        """Begin to read.

        Raises:
            OSError: no descriptor is left.
        """

    def open(self, sock: socket.socket, connection: Connection) -> None:
        """Make the transport of a connected socket, for a connection."""

    def sync(self) -> None:
        """Give all requests in flight back to their connections."""

    def close(self) -> None:
        """Read no more."""
