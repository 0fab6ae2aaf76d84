"""Opens the port of a server; if another program has it, names that program and a free port."""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from epkit.errors import UsageError

BACKLOG: Final = 64
_LISTENING: Final = "0A"
_TRIED: Final = 100


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen.

    Args:
        host: name or address.
        port: 0 to 65535; 0 means any free port.

    Raises:
        UsageError: the address is not one of this machine, or the port is in use; the message names the program that
            uses it, and a free port.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--host {host}: no address of this machine ({reason})") from None
    family, _, _, _, address = found[0]
    try:
        return _bound(family, address)
    except PermissionError:
        raise UsageError(f"--port {port}: this user may not listen there: take one from 1024 up") from None
    except OSError as error:
        if not _is_taken(error):
            raise UsageError(f"--host {host}: {(error.strerror or str(error)).lower()}") from None
    holder = _holder(port)
    by = f"by {holder}" if holder else "by another program"
    free = next(_free(family, address), None)
    way_out = f"end that one, or give --port {free}, which is free" if free else "give another --port"
    raise UsageError(f"--port {port}: taken {by}: {way_out}")


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # on other systems, two servers could share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _is_taken(error: OSError) -> bool:
    return error.errno in (errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE))


def _free(family: int, address: tuple[object, ...]) -> Iterator[int]:
    host, port, *rest = address
    assert isinstance(port, int)
    for candidate in range(port + 1, min(port + _TRIED, 65536)):
        with contextlib.suppress(OSError):
            _bound(family, (host, candidate, *rest)).close()
            yield candidate


def _holder(port: int) -> str | None:
    """Return the name of the process that listens on a port; None if the system does not show it.

    Source: proc(5): `/proc/net/tcp` has the socket's inode, `/proc/PID/fd` shows the process (own processes only).
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not sockets:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if any(str(descriptor.readlink()) in sockets for descriptor in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
    return None


def _inodes(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                parts = line.split()
                if parts[3] == _LISTENING and int(parts[1].rpartition(":")[2], 16) == port:
                    yield parts[9]
