"""The server around the application: how it ends."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import time

import pytest

pytest.importorskip("uvicorn")

from epkit.web import server


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


async def broken(scope, receive, send):
    raise RuntimeError("a bug")


@contextlib.contextmanager
def client(listener, then=lambda: None):
    """Ask once from another thread, do *then*, and hand on what was answered."""
    answers = []

    def ask():
        with socket.create_connection(listener.getsockname(), 10) as sock, contextlib.suppress(OSError):
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            while data := sock.recv(65536):
                answers.append(data)
        then()

    thread = threading.Thread(target=ask)
    thread.start()
    yield answers
    thread.join(10)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_the_handlers_as_they_were(number):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        client(listener, lambda: os.kill(os.getpid(), number)) as answers,
    ):
        ended_by = server.serve(hello, listener)

    assert number == ended_by
    assert b"".join(answers).endswith(b"\r\n\r\nhello")
    assert b"server:" not in b"".join(answers)
    assert before == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))


def test_a_bug_ends_it_as_it_was_raised(capfd):
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        client(listener),
        pytest.raises(RuntimeError, match="a bug"),
    ):
        server.serve(broken, listener)

    assert ("", "") == capfd.readouterr()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_request_that_hangs_does_not_keep_it(capfd):
    async def hanging(scope, receive, send):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(60)

    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener, client(listener):
        assert signal.SIGINT == server.serve(hanging, listener)

    assert time.monotonic() - began < 10
    assert ("", "") == capfd.readouterr()
