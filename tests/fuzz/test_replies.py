"""Nonsensical replies of a server: every request is a success or a failure of a known kind, and the run ends."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import strategies as st

from support.cli_harness import Cli
from support.fuzzing import STRANGE, damaged, fuzz, text_of

BODY = b'{"result": ["yes", "no"]}'
REPLIES = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n" + BODY,
    b"HTTP/1.1 200 OK\r\nServer: x/1 (y)\r\nTransfer-Encoding: chunked\r\n\r\n19\r\n" + BODY + b"\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n" + BODY,
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nazureml-model-deployment: blue\r\nx-ms-run-duration: 3\r\n"
    b"Content-Length: 25\r\n\r\n" + BODY,
)
LINES = (
    b"Content-Length: 0\r\n", b"Content-Length: 99999999999999999999\r\n", b"Content-Length: -1\r\n", b"Content-Length: 5, 6\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Connection: close\r\n", b" folded\r\n",
    b"Content-Encoding: deflate\r\n", b"Set-Cookie: a=b\r\n", b"Server: \x1b[2J\xff\r\n", b"x" * 70_000 + b": y\r\n",
    b"Location: http://127.0.0.1:1/\r\n", b"HTTP/1.1 101 Switching\r\n", b"\r\n", b"\n", b"\x00",
)  # fmt: skip


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    """Draw a reply with some changed bytes, and with lines that do not belong there."""
    made = draw(st.sampled_from(REPLIES))
    if draw(st.booleans()):
        made = draw(damaged(made))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.sampled_from([0, *(i + 2 for i in range(len(made)) if made[i : i + 2] == b"\r\n"), len(made)]))
        made = made[:at] + draw(st.sampled_from(LINES)) + made[at:]
    return made


class MadServer:
    """Answers every connection with `reply`, and closes it."""

    def __init__(self) -> None:
        self.reply = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/score"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.settimeout(5)
                sock.recv(65536)
                sock.sendall(self.reply)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass  # closing with unread bytes would lose the reply

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[MadServer]:
    running = MadServer()
    yield running
    running.close()


KINDS = (
    "application/json", "text/event-stream", "application/x-ndjson", "text/csv", "text/html", "text/plain", "x/y",
)  # fmt: skip

KEYS = (
    "result", "Results", "outputs", "data", "ndarray", "names", "tensor", "shape", "values", "columns", "index",
    "forecast", "name", "error", "age", "0", "1",
)  # fmt: skip

PIECES = st.sampled_from(
    [
        b'{"result": ["yes", "no"]}', b'{"Results": {"forecast": [1, 2], "index": [{"age": 87}, {"age": 17}]}}',
        b'{"outputs": [{"name": "y", "shape": [2], "datatype": "FP64", "data": [1, NaN]}]}', b'{"error": "\\ud800"}',
        b'{"data": {"names": ["a"], "ndarray": [[1], [2]]}}', b'{"data": {"tensor": {"shape": [2], "values": [1, 2]}}}',
        b"data: [DONE]\n\n", b"event: error\ndata: x\n\n", b'data: {"error": 1}\n\n', b"1,2\n3,4\n", b'"', b"\r\n", b"[",
        b"<title>\x1b[2J</title>", b"\xff\xfe", b"[[0.5, 0.5], [NaN, null]]", b'[{"age": 87}, {"age": 17}]', b"[]" * 9,
    ]
)  # fmt: skip


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw a complete reply with some kind of text and a status of success."""
    body = b"".join(draw(st.lists(PIECES | st.binary(max_size=8), max_size=3)))
    if draw(st.booleans()):
        body = text_of(draw(st.recursive(st.sampled_from(STRANGE), _containers, max_leaves=12)))
    if draw(st.booleans()):
        body = draw(damaged(body))
    status = draw(st.sampled_from((b"200 OK", b"202 Accepted\r\nLocation: /x?sig=1", b"424 Failed")))
    kind = draw(st.sampled_from(KINDS)).encode()
    return b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (status, kind, len(body), body)


def _containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)


def test_a_job_settles_every_row_whatever_the_replies_say(tmp_path, server):
    cli = Cli(directory=tmp_path)
    cli.write("rows.json", '{"data": [{"age": 17}, {"age": 87}]}')
    score = ["score", "rows.json", "--no-validate", "--retries", 0, "--timeout", 1, "--target", server.url]

    def check(reply: bytes) -> None:
        server.reply = reply
        ran = cli(*score)

        assert ran.code in (0, 4), ran.err
        assert "Traceback" not in ran.err, ran.err
        assert "\x1b" not in ran.out + ran.err
        assert [0, 1] == [json.loads(line)["row"] for line in ran.out.splitlines()]

    fuzz("texts of replies", bodies(), check)


def test_a_run_counts_every_reply_and_ends(tmp_path, server):
    cli = Cli(directory=tmp_path)
    cli.write("rows.json", '{"data": [{"age": 17}, {"age": 87}]}')
    bench = ["bench", "-n", 3, "-p", "rows.json", "--no-validate", "--timeout", 1, "--format", "json"]

    def check(example: tuple[bytes, str]) -> None:
        server.reply, engine = example
        ran = cli(*bench, "--engine", engine, server.url)

        assert ran.code in (0, 4, 5), ran.err
        assert "Traceback" not in ran.err, ran.err
        assert 3 == ran.report["counts"]["sent"]
        assert sum(ran.failures.values()) == ran.report["counts"]["failed"]
        assert "\x1b" not in ran.out + ran.err

    fuzz("replies", st.tuples(replies(), st.sampled_from(("wire", "wire", "wire", "httpx"))), check)
