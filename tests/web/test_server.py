"""The server around the application: its end."""

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
    """Send a request from another thread, call *then*, and return the reply."""
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


@contextlib.contextmanager
def served(app=hello):
    """Serve on another thread, in which no signal is handled; yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop = asyncio.new_event_loop()
        task = loop.create_task(server._serve(app, listener))

        def run():
            with contextlib.suppress(asyncio.CancelledError):
                loop.run_until_complete(task)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join(10)
            loop.close()


def ends(sock, within_s=10.0):
    """Tell whether the server closes a connection; return the data that it sent before."""
    sock.settimeout(within_s)
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := sock.recv(65536):
            data += chunk
    return data


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc",
    ],
)
def test_half_a_request_is_not_waited_for(monkeypatch, begun):
    monkeypatch.setattr(server, "HEADER_S", 0.3)
    monkeypatch.setattr(server, "BODY_S", 0.3)

    async def reading(scope, receive, send):
        while scope["method"] == "POST" and (await receive()).get("more_body"):
            pass
        await hello(scope, receive, send)

    with served(reading) as address, socket.create_connection(address, 10) as sock:
        sock.sendall(begun)

        assert (b"hello" in ends(sock)) == (begun.count(b"GET") == 2)


def test_a_header_that_comes_by_drops_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(server, "HEADER_S", 0.5)
    with served() as address, socket.create_connection(address, 10) as sock:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 400:
                sock.sendall(bytes([byte]))
                time.sleep(0.05)

        assert time.monotonic() - began < 15


def test_an_answer_that_takes_long_is_not_cut_off(monkeypatch):
    monkeypatch.setattr(server, "HEADER_S", 0.2)
    monkeypatch.setattr(server, "BODY_S", 0.2)

    async def slow(scope, receive, send):
        await asyncio.sleep(0.8)
        await hello(scope, receive, send)

    with served(slow) as address, socket.create_connection(address, 10) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab")

        assert ends(sock).endswith(b"hello")


def test_a_peer_has_a_bound_of_connections_and_half_open_ones_make_room(monkeypatch):
    monkeypatch.setattr(server, "HEADER_S", 3.0)
    with served() as address, contextlib.ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, 10)) for _ in range(server.MOST_OF_A_PEER)]
        for sock in held:
            sock.sendall(b"GET / HT")
        time.sleep(0.2)
        with socket.create_connection(address, 10) as refused:
            with contextlib.suppress(OSError):
                refused.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

            assert b"" == ends(refused)
        assert [b""] * len(held) == [ends(sock) for sock in held]
        with socket.create_connection(address, 10) as late:
            late.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

            assert ends(late).endswith(b"hello")
