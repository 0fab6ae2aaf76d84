"""A scoring server that misbehaves on purpose, and records its requests; `faults.py` has the table of faults.

It listens on loopback and free ports (IPv4, IPv6 and a Unix socket if available, TLS with good and bad certificates) in
one background thread. An unknown path gets a 404 with a specific reason. A plain port answers a TLS hello like nginx,
with a 400.
"""

import asyncio
import contextlib
import functools
import shutil
import socket
import ssl
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from support import certificates
from support.faults import CLOSE, EARLY, FAULTS, JSON, Exchange, Turns, message, reply

REMEMBERED: Final = 20_000  # requests kept for assertions; the counters go on
REMEMBERED_BODY: Final = 64 << 10
HEAD_LIMIT: Final = 256 << 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request that was received.

    Args:
        connection: number of the connection, from 0 after the last reset.
        peer: the client's address; empty on a Unix socket.
        target: path and query.
        body: the first `REMEMBERED_BODY` bytes; empty if the body was not read completely.
        body_bytes: number of bytes of the body that were read.
    """

    connection: int
    peer: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    body_bytes: int = 0

    def header(self, name: str) -> str | None:
        """Return the value of the first header with that name, in any case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class FaultServer:
    """The server in a thread; a context manager.

    Attributes:
        port, port6: TCP ports of plain HTTP on 127.0.0.1 and ::1 (None without IPv6).
        tls: ports on 127.0.0.1, by certificate: valid, expired, self-signed, wrong-name, mutual.
        unix: path of the Unix socket, None without Unix sockets.
        cacert, client_cert: PEM files for the client.
        connections: number of accepted connections since the last reset.
        requests: number of requests by name (`ok`, `never`, …), counted when their header was read.
        seen: the requests themselves, in order of arrival, at most `REMEMBERED`.
        gate: `gated` answers only while it is open; a test closes it, and a reset opens it.
        sni: the names that TLS clients requested; None for a client without a name.
    """

    def __init__(self) -> None:
        self.port = 0
        self.port6: int | None = None
        self.unix: str | None = None
        self.tls: dict[str, int] = {}
        self.cacert = self.client_cert = ""
        self._forget()
        self._problems: list[BaseException] = []
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="fault-server", daemon=True)

    def _forget(self) -> None:
        self.connections = 0
        self.requests: Counter[str] = Counter()
        self.seen: list[Seen] = []
        self.sni: list[str | None] = []
        self._turns = Turns()

    @property
    def gate(self) -> threading.Event:
        return self._turns.gate

    def url(self, name: str, *, tls: str | None = None) -> str:
        """Return the URL of a behaviour; with *tls*, over TLS with the named certificate."""
        return (
            f"https://127.0.0.1:{self.tls[tls]}/fault/{name}" if tls else f"http://127.0.0.1:{self.port}/fault/{name}"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        self._raise_problems()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        if self._thread.is_alive():
            raise RuntimeError("the fault server does not end")
        self._raise_problems()

    def reset(self) -> None:
        """Close every connection and clear the records; raise an error that occurred inside the server."""
        asyncio.run_coroutine_threadsafe(self._reset(), self._loop).result(10)
        self._raise_problems()

    def _raise_problems(self) -> None:
        if self._problems:
            problems, self._problems = self._problems, []
            raise BaseExceptionGroup("inside the fault server", problems)

    async def _reset(self) -> None:
        await self._drop()
        self._forget()

    async def _drop(self) -> None:
        settled = 0
        while settled < 3:  # transports are closed only in the loop's next rounds, and waiting clients are accepted
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)
            settled = 0 if tasks else settled + 1

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 (handed to the thread that uses the server)
            self._problems.append(error)
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        directory = Path(tempfile.mkdtemp(prefix="epkit-"))
        listeners: list[socket.socket] = []
        try:
            self._listen(directory, listeners)
            self._ready.set()
            await self._stop.wait()
            for accepting in self._accepting:
                accepting.cancel()
            ends = await asyncio.gather(*self._accepting, return_exceptions=True)
            self._problems += [end for end in ends if isinstance(end, Exception)]
            await self._drop()
        finally:
            for listener in listeners:
                listener.close()
            shutil.rmtree(directory)

    def _listen(self, directory: Path, listeners: list[socket.socket]) -> None:
        def listen(family: int, address: Any, context: ssl.SSLContext | None = None) -> Any:
            listener = socket.socket(family)
            listeners.append(listener)
            listener.setblocking(False)
            listener.bind(address)
            listener.listen(1024)
            self._accepting.append(asyncio.create_task(self._accept(listener, context)))
            return listener.getsockname()

        self._accepting: list[asyncio.Task[None]] = []
        self.port = listen(socket.AF_INET, ("127.0.0.1", 0))[1]
        with contextlib.suppress(OSError):
            self.port6 = listen(socket.AF_INET6, ("::1", 0))[1]
        if hasattr(socket, "AF_UNIX"):
            self.unix = listen(socket.AF_UNIX, str(directory / "s"))
        made = certificates.make(directory)
        self.cacert, self.client_cert = made.cacert, made.client_cert
        for name, context in made.contexts.items():
            context.sni_callback = lambda _connection, asked, _context: self.sni.append(asked)
            self.tls[name] = listen(socket.AF_INET, ("127.0.0.1", 0), context)[1]

    async def _accept(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        while True:
            accepted, _ = await self._loop.sock_accept(listener)
            number, self.connections = self.connections, self.connections + 1
            task = asyncio.create_task(self._guarded(accepted, context, number))
            self._tasks.add(task)
            task.add_done_callback(functools.partial(self._ended, accepted))

    def _ended(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        accepted.close()  # a task that was cancelled before its first step has not closed it

    async def _guarded(self, accepted: socket.socket, context: ssl.SSLContext | None, number: int) -> None:
        try:
            await self._connection(accepted, context, number)
        except (OSError, EOFError):  # the client is gone, or does not use (correct) TLS
            pass
        except Exception as error:  # noqa: BLE001 (raised at the next reset, in the test's thread)
            self._problems.append(error)

    async def _connection(self, accepted: socket.socket, context: ssl.SSLContext | None, number: int) -> None:
        reader = asyncio.StreamReader(limit=HEAD_LIMIT)
        protocol = asyncio.StreamReaderProtocol(reader)
        if accepted.family != getattr(socket, "AF_UNIX", None):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            transport, _ = await self._loop.connect_accepted_socket(lambda: protocol, accepted, ssl=context)
        except BaseException:
            accepted.close()
            raise
        writer = asyncio.StreamWriter(transport, protocol, reader, self._loop)
        served = 0
        try:
            while await self._answer(Exchange(self._turns, reader, writer, served=served), number):
                served += 1
            if not transport.is_closing():
                writer.close()
                async with asyncio.timeout(5):
                    await writer.wait_closed()
        finally:
            transport.abort()

    async def _answer(self, x: Exchange, connection: int) -> bool:
        first = await x.reader.readexactly(1)
        if first == b"\x16":  # a TLS handshake
            x.writer.write(reply(400, b"The plain HTTP request was expected on this port", CLOSE))
            return False
        lines = (first + await x.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        x.method, x.target, _ = lines[0].split(" ")
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines[1:]))
        x.said = ", ".join(lines[1:])
        url = urlsplit(x.target)
        x.name, x.query = url.path.removeprefix("/fault/"), dict(parse_qsl(url.query))
        peer = (x.writer.get_extra_info("peername") or ("",))[0]
        seen = Seen(connection=connection, peer=peer, method=x.method, target=x.target, headers=headers)
        self.requests[x.name] += 1
        place = len(self.seen)
        if place < REMEMBERED:
            self.seen.append(seen)
        if x.name == "never-reads":
            await asyncio.Event().wait()  # until a reset or the end of the server cancels it
        if x.name == "early":
            await x.send(EARLY)
            return False
        body = await x.reader.readexactly(int(seen.header("Content-Length") or 0))
        if place < REMEMBERED:
            self.seen[place] = replace(seen, body=body[:REMEMBERED_BODY], body_bytes=len(body))
        if x.name not in FAULTS:
            await x.send(reply(404, message(f"the fault server has no {x.target}"), JSON))
            return True
        return await FAULTS[x.name](x) and seen.header("Connection") != "close"
