"""The waiting server: the contents and the times of its replies."""

import json
import socket
import subprocess
import sys
import time

import pytest

BODY = rb'"{\"result\": [\"yes\", \"no\"]}"'


@pytest.fixture(params=["sleep", "spin"])
def server(request, waiting_script):
    command = [sys.executable, str(waiting_script), "20", request.param]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def answer(sock):
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(65536)
    return received


def test_it_waits_from_the_last_byte_of_a_request_and_tells_how_long(server):
    process, port = server
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        for _ in range(3):
            sock.sendall(b"POST /score HTTP/1.1\r\nHost: x\r\nContent-LENGTH: 4\r\n\r\nab")
            time.sleep(0.03)  # longer than the wait: a reply to half a request would have arrived
            sock.setblocking(False)
            with pytest.raises(BlockingIOError):
                sock.recv(1)
            sock.settimeout(5)
            sent = time.perf_counter()
            sock.sendall(b"cd")
            reply = answer(sock)

            assert time.perf_counter() - sent >= 0.02
            assert reply.startswith(b"HTTP/1.1 200 OK\r\n")
            assert reply.endswith(b"\r\n\r\n" + BODY)
    said, _ = process.communicate(timeout=5)
    waits = json.loads(said)

    assert process.returncode == 0
    assert waits["count"] == 3
    assert 20 <= waits["p50_ms"] <= waits["p99_ms"] <= waits["max_ms"]


def test_it_knows_one_path_only_and_needs_no_body(server):
    process, port = server
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(b"GET /swagger.json HTTP/1.1\r\nHost: x\r\n\r\n")

        assert answer(sock).startswith(b"HTTP/1.1 404 ")
    process.communicate(timeout=5)


def test_it_ends_with_its_pipe_though_nobody_came(server):
    process, _ = server
    said, _ = process.communicate(timeout=5)

    assert json.loads(said) == {"count": 0, "p50_ms": None, "p99_ms": None, "max_ms": None}
    assert process.returncode == 0
