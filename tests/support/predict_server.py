"""A scoring server whose behaviour a test sets, row by row: it refuses, throttles, fails on rows, and records requests.

A row is an object or a list. Its prediction is `p` and its first cell (`p17`), so a test can compute the prediction of
each row. The server uses one background thread, loopback and a free port.
"""

import asyncio
import csv
import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


@dataclass(slots=True, kw_only=True)
class Answer:
    """A reply."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    close: bool = False
    """Close the connection instead of answering."""


def rows_of(body: bytes) -> list[Any]:
    """Return the rows of a body, at any place in it."""
    if not body.startswith((b"{", b"[")):
        return list(csv.reader(io.StringIO(body.decode())))
    value = json.loads(b"[" + body.replace(b"}\n{", b"},{") + b"]")
    value = value[0] if len(value) == 1 else value
    while isinstance(value, dict):
        if isinstance(value.get("columns"), list):
            value = value["data"]
        elif "ndarray" in value:
            value = value["ndarray"]
        elif not isinstance(next(iter(value.values())), dict | list):
            return [value]
        elif all(isinstance(column, list) for column in value.values()) and len(value) > 1:
            value = [list(row) for row in zip(*value.values(), strict=True)]
        else:
            value = next(iter(value.values()))
    if value and isinstance(value[0], dict) and "datatype" in value[0]:
        return [list(row) for row in zip(*(tensor["data"] for tensor in value), strict=True)]
    return value


def key_of(row: Any) -> Any:
    return next(iter(row.values())) if isinstance(row, dict) else row[0]


def predicted(rows: Iterable[Any]) -> bytes:
    return json.dumps({"result": [f"p{key_of(row)}" for row in rows]}).encode()


def plain(server: "PredictServer", rows: list[Any], body: bytes) -> Answer:
    """Answer like a correct endpoint."""
    return Answer(body=predicted(rows))


Behaviour = Callable[["PredictServer", list[Any], bytes], Answer]


class PredictServer:
    """The server in a thread; a context manager.

    Attributes:
        behave: function that makes the reply to a request; it may be replaced at any time.
        delay_s: delay before each reply, in seconds.
        bodies, headers: bodies and headers of the requests, in order of arrival.
        scored: number of successful answers for each row, by its first cell.
        flying, most_flying: number of requests in progress, now and at most.
    """

    def __init__(
        self, behave: Behaviour = plain, *, delay_s: float = 0.0, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        self.behave, self.delay_s = behave, delay_s
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.scored: Counter[Any] = Counter()
        self.flying = self.most_flying = self.requests = 0
        self.contract: bytes | None = None
        self.keep = True
        self.host, self.port = host, port
        self.stop_after: int | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/score"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, self.host, self.port, limit=1 << 26)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:-2])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if lines[0].startswith("GET"):
            found = self.contract
            await self._send(writer, Answer(status=404 if found is None else 200, body=found or b""), headers)
            return True
        self.requests += 1
        if self.requests == self.stop_after:
            self._stop.set()
        self.times.append(time.monotonic())
        if self.keep:
            self.bodies.append(body)
            self.headers.append(headers)
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        try:
            rows = rows_of(body)
            answer = self.behave(self, rows, body)
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
        finally:
            self.flying -= 1
        if answer.close:
            return False
        if answer.status == 200 and answer.body == predicted(rows):
            self.scored.update(str(key_of(row)) for row in rows)
        await self._send(writer, answer, headers)
        return True

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer, asked: dict[str, str]) -> None:
        echoed = {"x-ms-client-request-id": asked.get("x-ms-client-request-id", "")}
        fields = {"Content-Type": "application/json", **echoed, **answer.headers}
        head = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Said')}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"{head}Content-Length: {len(answer.body)}\r\n\r\n".encode("latin-1") + answer.body)
        await writer.drain()


def poisoned(*keys: Any, status: int = 500, body: bytes = b'{"message": "cannot score this"}') -> Behaviour:
    """Fail every request that contains one of the given rows."""

    def behave(server: PredictServer, rows: list[Any], whole: bytes) -> Answer:
        if any(key_of(row) in keys for row in rows):
            return Answer(status=status, body=body)
        return plain(server, rows, whole)

    return behave


def too_large(most_rows: int) -> Behaviour:
    """Answer 413 to requests with more than *most_rows* rows."""

    def behave(server: PredictServer, rows: list[Any], whole: bytes) -> Answer:
        return Answer(status=413) if len(rows) > most_rows else plain(server, rows, whole)

    return behave


def throttling(*, every: int, status: int = 429, header: str = "") -> Behaviour:
    """Refuse requests except every *every*-th one; the header may give a date as the time to wait."""

    def behave(server: PredictServer, rows: list[Any], whole: bytes) -> Answer:
        if every == 1 or server.requests % every:
            headers = {}
            if header == "date":
                headers["Retry-After"] = formatdate(time.time() + 1, usegmt=True)
            elif header:
                name, _, value = header.partition(":")
                headers[name] = value
            return Answer(status=status, headers=headers)
        return plain(server, rows, whole)

    return behave


def storm(
    first: int, last: int, *, every: int = 1, status: int = 429, header: str = "", close: bool = False
) -> Behaviour:
    """Behave normally except for requests between two numbers; of these, only every *every*-th one succeeds."""
    refuse = throttling(every=every, status=status, header=header)

    def behave(server: PredictServer, rows: list[Any], whole: bytes) -> Answer:
        if not first <= server.requests < last or (every > 1 and not server.requests % every):
            return plain(server, rows, whole)
        return Answer(close=True) if close else refuse(server, rows, whole)

    return behave


def crowded(most: int) -> Behaviour:
    """Refuse a request while more than *most* are in progress."""

    def behave(server: PredictServer, rows: list[Any], whole: bytes) -> Answer:
        return Answer(status=429) if server.flying > most else plain(server, rows, whole)

    return behave
