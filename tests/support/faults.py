r"""The behaviours of the fault server: `/fault/NAME` chooses one.

Correct replies have the course's body, `"{\"result\": [\"yes\", \"no\"]}"`, keep the connection, and answer HEAD with
only the header; the others ignore the method. *Hangs* in the table means: the connection stays open until the client
closes it. A storm is one of these under load.

| NAME | what happens |
|---|---|
| ok | 200 with Content-Length |
| swagger.json | a contract of one integer column, `age`, without an example |
| ok-chunked | in three chunks, with a chunk extension and a trailer |
| ok-close-delimited | HTTP/1.0, no length: ends with the connection; `?version=1.1` as HTTP/1.1 |
| ok-connection-close | Content-Length, `Connection: close`, and the connection is closed |
| ok-split | sent in pieces of 3 bytes, immediately one after the other |
| ok-split-chunked | the same for ok-chunked |
| ok-large | `?bytes=` of body (default 1 MiB), Content-Length |
| delay | ok after `?ms=` (default 10), each `?every=`th time (1) |
| gated | ok after `?ms=` (0), but not before the server's `gate` is open; only a test closes it |
| stall | ok; in the last `?for_ms=` of every `?every_ms=` since the first such request everything pauses |
| flaky | every `?every=`th request (3) answers `?status=` (503), the others ok |
| second-dies | on each connection: the first request ok; the second is read completely, then the connection is closed |
| empty | 200, Content-Length 0 |
| 204, 304 | no body; 304 with the Content-Length that the body would have |
| early-hints | 100, then 103, then ok |
| gzip, deflate, deflate-raw | ok with that Content-Encoding (raw: without zlib's header, which some servers omit) |
| gzip-broken | Content-Encoding gzip, but the body is not gzip |
| br, zstd | ok with that Content-Encoding, which epkit does not read |
| gzip-bomb | 64 MiB of spaces in 64 KiB of gzip |
| azure | Azure's headers; deployments blue and green alternately |
| 401, 403, 404, 413, 415, 424, 429, 500, 503 | that status with Azure's message; 429 with Retry-After 1 |
| malformed-auth | 400, with the text of a container instance that got no `Bearer ` |
| redirect | 302 to /fault/ok |
| echo | 400, with everything in the request, including its credentials |
| echo-id | ok, with the request's `?name=` (x-ms-client-request-id) sent back if it has one, twice as Azure's server does |
| error-in-200 | 200 and `{"error": …}` |
| error-in-200-doubled | the same as JSON in a JSON string |
| wrong-count | three predictions for two rows |
| not-json | Content-Type application/json, but the body is HTML |
| nested | each `?every=`th time (1) the second of two predictions is a list `?depth=` deep (1005), each one different; otherwise ok |
| close-before | reads the request, closes before a byte |
| close-in-header | closes in the middle of a header line |
| close-after-header | closes after the header, before the body |
| truncated | half the body, then closes |
| reset | reads the request, resets the connection (RST) |
| reset-in-body | half the body, then resets |
| length-too-long | Content-Length is 100 more than the length of the body; hangs |
| length-too-short | Content-Length is 5 less than the length of the body, in one write |
| twice | answers twice in one write |
| chunk-garbage | chunked, but the chunk size is not a number; hangs |
| chunk-truncated | closes inside a chunk |
| not-http | an SSH banner, then closes |
| never | reads, and never answers; hangs |
| never-reads | reads only the header of the request, never answers, never closes |
| drip | ok, one byte each `?every_ms=` (1000) |
| big-header | ok after 60 KiB of header |
| huge-header | ok after 70 KiB of header |
| endless-header | header lines as fast as the client reads them |
| endless-body | chunks as fast as the client reads them |
| length-twice, length-differs, length-list | Content-Length twice with equal values; twice with different values; as `33, 33` |
| length-plus, length-hex, length-huge, length-blank | Content-Length that is not a number, has 20 digits, or is empty |
| te-and-length, te-in-1.0, te-twice | chunked, with Content-Length; as HTTP/1.0; with Transfer-Encoding twice |
| te-gzip, te-gzip-chunked, te-identity | a Transfer-Encoding that is not chunked; the first and the last end with the connection |
| te-gzip-hangs | the header of te-gzip and half a body; hangs |
| version-0.9, version-1.0, version-1.2, version-2.0, version-3.0 | ok with that version in the status line |
| status-099, 101 | ok with that status |
| blank-line-first | CR LF before the status line |
| folded, bare-lf, space-before-colon, control-character | ok with such a header line |
| control-in-status | ok with a NUL in the reason of its status |
| only-lf, only-lf-split, only-lf-chunked | ok, lines of the header end with only LF; in pieces of 3 bytes; chunked (with CRLF) |
| early | reads only the header of the request, sends 413, and closes |
| many-headers | ok with 1001 header lines |
| chunk-extension, chunk-extension-broken | chunked, with an extension of 2 KB; with `;` and no name after it |
| chunk-lf, chunk-huge, chunk-too-short | a chunk that ends with only LF; with a size of 17 digits; with more bytes than its size |
| trailer-length | chunked, with a Content-Length in the trailer |
| 204-with-body | 204 with Content-Length and that body |
| raw | the bytes of `?hex=`, then closes |
| endless-interim | 103 as fast as the client reads; with `?every_ms=`, at that interval |
| slow-header | a header line each `?every_ms=` (1000), without end |
| redirect-slowly | 302 to itself after `?every_ms=` (1000) |
| endless-close | a body without length and end |
| endless-tiny | chunks of two bytes without end |
| held | the header and `?bytes=` (1 MiB) of a body that is twice as long, then no more data; hangs |
| cut, cut-length, cut-chunked | ended by the connection, by Content-Length, in chunks; the connection closes without TLS's close_notify |
| closes-idle | ok with keep-alive, then closes without notice after `?after_ms=` (0) |
"""

import asyncio
import gzip
import json
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

COURSE: Final = rb'"{\"result\": [\"yes\", \"no\"]}"'
JSON: Final = ("Content-Type", "application/json")
CLOSE: Final = ("Connection", "close")


def reply(status: int, body: bytes = b"", *headers: tuple[str, str], length: int | None = None) -> bytes:
    """Write a reply with Content-Length.

    Args:
        length: value of Content-Length, if it must be wrong.
    """
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers),
    ]
    if status != HTTPStatus.NO_CONTENT:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (b"" if status == HTTPStatus.NOT_MODIFIED else body)


def message(text: str) -> bytes:
    return json.dumps({"message": text}).encode()


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


OK: Final = reply(200, COURSE, JSON)
CHUNK_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED: Final = (
    CHUNK_HEAD
    + b"".join(b"%x;part=%d\r\n%b\r\n" % (len(p), i, p) for i, p in enumerate((COURSE[:1], COURSE[1:20], COURSE[20:])))
    + b"0\r\nX-Trailer: end\r\n\r\n"
)
GZIP: Final = ("Content-Encoding", "gzip")
DEFLATE: Final = ("Content-Encoding", "deflate")
FILLER: Final = tuple((f"X-Filler-{i}", "x" * 1000) for i in range(70))  # 1,014 bytes a line

CONTRACT: Final = {
    "swagger": "2.0",
    "info": {"title": "two rows", "version": "1"},
    "paths": {
        "/score": {
            "post": {
                "parameters": [
                    {
                        "in": "body",
                        "name": "body",
                        "schema": {
                            "type": "object",
                            "properties": {
                                "data": {
                                    "type": "array",
                                    "items": {"type": "object", "properties": {"age": {"type": "integer"}}},
                                }
                            },
                        },
                    }
                ],
                "responses": {"200": {"description": "predictions", "schema": {"type": "object"}}},
            }
        }
    },
}

SIMPLE: Final[dict[str, bytes]] = {
    "ok": OK,
    "swagger.json": reply(200, json.dumps(CONTRACT).encode(), JSON),
    "ok-chunked": CHUNKED,
    "empty": reply(200, b"", JSON),
    "204": reply(204),
    "304": reply(304, COURSE, ("ETag", '"course"')),
    "gzip": reply(200, gzip.compress(COURSE, mtime=0), JSON, GZIP),
    "deflate": reply(200, zlib.compress(COURSE), JSON, DEFLATE),
    "deflate-raw": reply(200, raw_deflate(COURSE), JSON, DEFLATE),
    "gzip-broken": reply(200, COURSE, JSON, GZIP),
    "gzip-bomb": reply(200, gzip.compress(b" " * (64 << 20), 6, mtime=0), JSON, GZIP),
    "401": reply(401, message("Unauthorized"), JSON, ("WWW-Authenticate", "Bearer")),
    "403": reply(403, b"key_auth_access_denied", ("Content-Type", "text/plain")),
    "404": reply(404, message("Not Found"), JSON),
    "413": reply(413, message("Request Entity Too Large"), JSON),
    "415": reply(415, message("Unsupported Media Type"), JSON),
    "424": reply(
        424,
        message("An unexpected error occurred in scoring script. Check the logs for more info."),
        JSON,
        ("ms-azureml-model-error-statuscode", "500"),
        ("ms-azureml-model-error-reason", "model_error"),
        ("ms-azureml-model-time", "7"),
    ),
    "429": reply(429, message("Too Many Requests"), JSON, ("Retry-After", "1")),
    "500": reply(
        500,
        message("An unexpected error occurred in scoring script. Check the logs for more info."),
        JSON,
        ("x-ms-run-function-failed", "True"),
    ),
    "503": reply(503, message("Service Unavailable"), JSON),
    "malformed-auth": reply(
        400,
        b'Authorization header is malformed. Header should be in the form: "Authorization: Bearer <token>"',
        ("Content-Type", "text/plain"),
    ),
    "redirect": reply(302, b"", ("Location", "/fault/ok")),
    "error-in-200": reply(200, b'{"error": "could not convert string to float"}', JSON),
    "error-in-200-doubled": reply(200, rb'"{\"error\": \"could not convert string to float\"}"', JSON),
    "wrong-count": reply(200, rb'"{\"result\": [\"yes\", \"no\", \"yes\"]}"', JSON),
    "not-json": reply(200, b"<html><body>Bad Gateway</body></html>", JSON),
    "big-header": reply(200, COURSE, JSON, *FILLER[:60]),
    "huge-header": reply(200, COURSE, JSON, *FILLER),
    "many-headers": reply(200, COURSE, JSON, *[("A", "")] * 999),
}


def raw(*lines: str, body: bytes = COURSE, start: str = "HTTP/1.1 200 OK") -> bytes:
    """Write a reply whose header has only these *lines*."""
    return "\r\n".join([start, *lines, "", ""]).encode("latin-1") + body


SIZED: Final = f"Content-Length: {len(COURSE)}"
IN_CHUNKS: Final = "Transfer-Encoding: chunked"
CHUNKS: Final = b"%x\r\n%b\r\n0\r\n\r\n" % (len(COURSE), COURSE)

ODD: Final[dict[str, bytes]] = {
    "length-twice": raw(SIZED, SIZED),
    "length-differs": raw(SIZED, "Content-Length: 3"),
    "length-list": raw(f"{SIZED}, {len(COURSE)}"),
    "length-plus": raw(f"Content-Length: +{len(COURSE)}"),
    "length-hex": raw(f"Content-Length: {len(COURSE):#x}"),
    "length-huge": raw(f"Content-Length: {'9' * 20}"),
    "length-blank": raw("Content-Length:"),
    "te-and-length": raw(IN_CHUNKS, SIZED, body=CHUNKS),
    "te-in-1.0": raw(IN_CHUNKS, body=CHUNKS, start="HTTP/1.0 200 OK"),
    "te-twice": raw(IN_CHUNKS, IN_CHUNKS, body=CHUNKS),
    "te-gzip-chunked": raw("Transfer-Encoding: gzip, chunked", body=CHUNKS),
    "version-0.9": raw(SIZED, start="HTTP/0.9 200 OK"),
    "version-1.0": raw(SIZED, start="HTTP/1.0 200 OK"),
    "version-1.2": raw(SIZED, start="HTTP/1.2 200 OK"),
    "version-2.0": raw(SIZED, start="HTTP/2.0 200 OK"),
    "version-3.0": raw(SIZED, start="HTTP/3.0 200 OK"),
    "control-in-status": raw(SIZED, start="HTTP/1.1 200 \x00OK"),
    "status-099": raw(SIZED, start="HTTP/1.1 099 Odd"),
    "101": raw("Upgrade: x", "Connection: upgrade", start="HTTP/1.1 101 Switching Protocols"),
    "blank-line-first": b"\r\n" + raw(SIZED),
    "folded": raw("X-A: one\r\n two", SIZED),
    "bare-lf": raw("X-A: one\nX-B: two", SIZED),
    "br": raw(SIZED, "Content-Type: application/json", "Content-Encoding: br"),
    "zstd": raw(SIZED, "Content-Type: application/json", "Content-Encoding: zstd"),
    "only-lf": raw(SIZED, "Server: lf").replace(b"\r\n", b"\n"),
    "only-lf-chunked": raw(IN_CHUNKS, body=b"").replace(b"\r\n", b"\n") + CHUNKS,
    "space-before-colon": raw("X-A : one", SIZED),
    "control-character": raw("X-A: \x01", SIZED),
    "chunk-extension": raw(IN_CHUNKS, body=CHUNKS.replace(b"\r", b";a=" + b"x" * 2000 + b"\r", 1)),
    "chunk-extension-broken": raw(IN_CHUNKS, body=CHUNKS.replace(b"\r", b";\r", 1)),
    "chunk-lf": raw(IN_CHUNKS, body=CHUNKS.replace(b"\r\n", b"\n", 1)),
    "chunk-huge": raw(IN_CHUNKS, body=b"1" + b"0" * 16 + b"\r\n" + COURSE),
    "chunk-too-short": raw(IN_CHUNKS, body=CHUNKS[1:]),
    "trailer-length": raw(IN_CHUNKS, body=CHUNKS[:-2] + b"Content-Length: 3\r\n\r\n"),
    "204-with-body": raw(SIZED, start="HTTP/1.1 204 No Content"),
}
"""Replies with one fault each; the client decides what happens to the connection."""


EARLY: Final = reply(413, b'{"error": {"message": "the body is too large"}}', JSON, CLOSE)


class Turns:
    """State of the server between requests of one path and query."""

    def __init__(self) -> None:
        self.began: dict[str, float] = {}
        self.counts: Counter[str] = Counter()
        self.gate = threading.Event()
        self.gate.set()

    def next(self, target: str) -> int:
        """Count the requests of *target*, from 1."""
        self.counts[target] += 1
        return self.counts[target]


class Exchange:
    """One request, as far as it was read, and methods to answer it."""

    def __init__(
        self,
        turns: Turns,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        served: int,
    ) -> None:
        self.turns, self.reader, self.writer, self.served = turns, reader, writer, served
        self.method = self.target = self.name = self.said = ""
        self.query: dict[str, str] = {}

    def number(self, name: str, default: int) -> int:
        return int(self.query.get(name, default))

    async def send(self, data: bytes) -> None:
        """Write, and wait for the client to read; for HEAD, send only the header."""
        if self.method == "HEAD":
            data = data[: data.index(b"\r\n\r\n") + 4]
        self.writer.write(data)
        await self.writer.drain()

    async def hang(self) -> None:
        """Read and discard data until the client closes the connection."""
        while await self.reader.read(64 << 10):
            pass

    def reset(self) -> None:
        """Close the connection with RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Fault = Callable[[Exchange], Awaitable[bool]]
FAULTS: Final[dict[str, Fault]] = {}
"""Behaviours by name; a behaviour returns whether the connection continues with the next request."""


def fault(name: str) -> Callable[[Fault], Fault]:
    """Register a behaviour."""

    def register(behaviour: Fault) -> Fault:
        FAULTS[name] = behaviour
        return behaviour

    return register


def simple(data: bytes) -> Fault:
    async def answer(x: Exchange) -> bool:
        await x.send(data)
        return True

    return answer


FAULTS.update({name: simple(data) for name, data in (SIMPLE | ODD).items()})


def partial(data: bytes) -> Fault:
    """Send *data* and close the connection."""

    async def answer(x: Exchange) -> bool:
        x.writer.write(data)
        return False

    return answer


def unending(data: bytes) -> Fault:
    """Send *data*, and nothing more."""

    async def answer(x: Exchange) -> bool:
        x.writer.write(data)
        await x.hang()
        return False

    return answer


HALF: Final = OK[: -len(COURSE) // 2]
FAULTS.update(
    {
        "close-before": partial(b""),
        "close-in-header": partial(OK[:30]),
        "close-after-header": partial(OK[: -len(COURSE)]),
        "truncated": partial(HALF),
        "chunk-truncated": partial(CHUNK_HEAD + b"64\r\n" + COURSE),
        "not-http": partial(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n\r\n"),
        "never": unending(b""),
        "never-reads": unending(b""),  # never called: the server stops before the body
        "early": partial(EARLY),  # never called either: it answers before the body
        "length-too-long": unending(reply(200, COURSE, JSON, length=len(COURSE) + 100)),
        "chunk-garbage": unending(CHUNK_HEAD + b"zz\r\n" + COURSE + b"\r\n"),
        "te-gzip": partial(raw("Transfer-Encoding: gzip")),
        "te-identity": partial(raw("Transfer-Encoding: identity")),
        "te-gzip-hangs": unending(raw("Transfer-Encoding: gzip", body=COURSE[:10])),
        "twice": simple(OK + OK),
        "length-too-short": simple(reply(200, COURSE, JSON, length=len(COURSE) - 5)),
    }
)


@fault("ok-close-delimited")
async def _close_delimited(x: Exchange) -> bool:
    await x.send(
        f"HTTP/{x.query.get('version', '1.0')} 200 OK\r\nContent-Type: application/json\r\n\r\n".encode() + COURSE
    )
    return False


async def _split(x: Exchange, data: bytes, piece: int = 3) -> bool:
    for at in range(0, len(data), piece):
        x.writer.write(data[at : at + piece])
        await asyncio.sleep(0)
    return True


@fault("ok-split")
async def _ok_split(x: Exchange) -> bool:
    return await _split(x, OK)


@fault("ok-split-chunked")
async def _ok_split_chunked(x: Exchange) -> bool:
    return await _split(x, CHUNKED)


@fault("nested")
async def _nested(x: Exchange) -> bool:
    number = x.turns.next(x.target)
    if number % x.number("every", 1):
        await x.send(OK)
    else:
        depth = x.number("depth", 1005)
        await x.send(reply(200, b'{"result": ["yes", %b%d%b]}' % (b"[" * depth, number, b"]" * depth), JSON))
    return True


@fault("ok-large")
async def _large(x: Exchange) -> bool:
    await x.send(reply(200, b"x" * x.number("bytes", 1 << 20), JSON))
    return True


@fault("ok-connection-close")
async def _connection_close(x: Exchange) -> bool:
    await x.send(reply(200, COURSE, JSON, CLOSE))
    return False


@fault("early-hints")
async def _early_hints(x: Exchange) -> bool:
    x.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    x.writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    await x.send(OK)
    return True


@fault("delay")
async def _delay(x: Exchange) -> bool:
    if x.turns.next(x.target) % x.number("every", 1) == 0:
        await asyncio.sleep(x.number("ms", 10) / 1e3)
    await x.send(OK)
    return True


@fault("gated")
async def _gated(x: Exchange) -> bool:
    await asyncio.sleep(x.number("ms", 0) / 1e3)
    while not x.turns.gate.is_set():  # noqa: ASYNC110 - a test opens it, from another thread
        await asyncio.sleep(0.01)
    await x.send(OK)
    return True


@fault("stall")
async def _stall(x: Exchange) -> bool:
    every, length = x.number("every_ms", 1000), x.number("for_ms", 100)
    began = x.turns.began.setdefault(x.target, time.monotonic())
    phase_ms = (time.monotonic() - began) * 1e3 % every
    if phase_ms >= every - length:
        await asyncio.sleep((every - phase_ms) / 1e3)
    await x.send(OK)
    return True


@fault("flaky")
async def _flaky(x: Exchange) -> bool:
    failing = x.turns.next(x.target) % x.number("every", 3) == 0
    await x.send(SIMPLE[x.query.get("status", "503")] if failing else OK)
    return True


@fault("only-lf-split")
async def _only_lf_split(x: Exchange) -> bool:
    return await _split(x, ODD["only-lf"])


@fault("echo")
async def _echo(x: Exchange) -> bool:
    found = json.dumps({"error": {"message": x.said, "target": x.target}}).encode()
    await x.send(reply(400, found, JSON, ("X-Echo", x.said), ("Set-Cookie", "session=" + x.said[-40:])))
    return True


@fault("echo-id")
async def _echo_id(x: Exchange) -> bool:
    name = x.query.get("name", "x-ms-client-request-id")
    fields = (line.partition(": ") for line in x.said.split(", "))
    echoed = [
        (header, value) for key, _, value in fields if key.lower() == name for header in ("x-ms-request-id", name)
    ]
    await x.send(reply(200, COURSE, JSON, *echoed))
    return True


@fault("azure")
async def _azure(x: Exchange) -> bool:
    turn = x.turns.next(x.target)
    headers = (
        ("x-ms-run-function-failed", "False"),
        ("x-ms-run-fn-exec-ms", "8.452"),
        ("x-ms-server-version", "azmlinfsrv/1.5.1"),
        ("x-ms-request-id", f"00000000-0000-0000-0000-{turn:012}"),
        ("azureml-model-deployment", "blue" if turn % 2 else "green"),
    )
    await x.send(reply(200, COURSE, JSON, *headers))
    return True


@fault("second-dies")
async def _second_dies(x: Exchange) -> bool:
    if x.served:
        return False
    await x.send(OK)
    return True


@fault("reset")
async def _reset(x: Exchange) -> bool:
    x.reset()
    return False


@fault("reset-in-body")
async def _reset_in_body(x: Exchange) -> bool:
    x.writer.write(HALF)
    await asyncio.sleep(0.02)  # a reset would overtake data that the client has not read yet
    x.reset()
    return False


@fault("drip")
async def _drip(x: Exchange) -> bool:
    for at in range(len(OK)):
        x.writer.write(OK[at : at + 1])
        await asyncio.sleep(x.number("every_ms", 1000) / 1e3)
        if x.reader.at_eof():
            return False
    return True


@fault("endless-header")
async def _endless_header(x: Exchange) -> bool:
    x.writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        x.writer.write(b"X-Filler: %b\r\n" % (b"x" * 4000))
        await x.writer.drain()
        await asyncio.sleep(0)


@fault("endless-body")
async def _endless_body(x: Exchange) -> bool:
    x.writer.write(CHUNK_HEAD)
    chunk = b"10000\r\n" + b" " * (64 << 10) + b"\r\n"
    while True:
        x.writer.write(chunk)
        await x.writer.drain()
        await asyncio.sleep(0)


@fault("raw")
async def _raw(x: Exchange) -> bool:
    x.writer.write(bytes.fromhex(x.query.get("hex", "")))
    return False


@fault("endless-interim")
async def _endless_interim(x: Exchange) -> bool:
    while not x.reader.at_eof():
        x.writer.write(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        await x.writer.drain()
        await asyncio.sleep(x.number("every_ms", 0) / 1e3)
    return False


@fault("slow-header")
async def _slow_header(x: Exchange) -> bool:
    x.writer.write(b"HTTP/1.1 200 OK\r\n")
    while not x.reader.at_eof():
        x.writer.write(b"X-More: to come\r\n")
        await asyncio.sleep(x.number("every_ms", 1000) / 1e3)
    return False


@fault("redirect-slowly")
async def _redirect_slowly(x: Exchange) -> bool:
    await asyncio.sleep(x.number("every_ms", 1000) / 1e3)
    await x.send(reply(302, b"", ("Location", x.target)))
    return True


@fault("endless-close")
async def _endless_close(x: Exchange) -> bool:
    x.writer.write(raw("Content-Type: application/json", body=b""))
    while True:
        x.writer.write(b" " * (64 << 10))
        await x.writer.drain()
        await asyncio.sleep(0)


@fault("endless-tiny")
async def _endless_tiny(x: Exchange) -> bool:
    x.writer.write(CHUNK_HEAD)
    while True:
        x.writer.write(b"2\r\n  \r\n" * 8192)
        await x.writer.drain()
        await asyncio.sleep(0)


@fault("held")
async def _held(x: Exchange) -> bool:
    size = x.number("bytes", 1 << 20)
    x.writer.write(raw(f"Content-Length: {2 * size}", body=b" " * size))
    await x.hang()
    return False


def cutting(data: bytes) -> Fault:
    """Send *data*, and close the connection below TLS."""

    async def answer(x: Exchange) -> bool:
        x.writer.write(data)
        await x.writer.drain()
        await asyncio.sleep(0.02)  # otherwise unsent data would be dropped
        x.writer.transport.abort()
        return False

    return answer


FAULTS.update(
    {
        "cut": cutting(raw("Content-Type: application/json")),
        "cut-length": cutting(raw(SIZED, "Connection: close")),
        "cut-chunked": cutting(raw(IN_CHUNKS, "Connection: close", body=CHUNKS)),
    }
)


@fault("closes-idle")
async def _closes_idle(x: Exchange) -> bool:
    await x.send(OK)
    if after_ms := x.number("after_ms", 0):
        await asyncio.sleep(after_ms / 1e3)
    return False
