"""A server that answers each `/score` a fixed time after the request's last byte.

`python waiting.py MS spin|sleep [ROWS]`; each reply has ROWS predictions, two by default.

Theory of operation: replies that are due later are in a heap. With `spin`, the server polls without a pause while
replies are due. On a separate core this is the most exact way, because waking a sleeping core costs 0.1 ms and more on
a virtual machine. With `sleep`, the first entry of the heap is the timeout of `select`, which counts microseconds;
`epoll` from Python, and uvloop's timers, count whole milliseconds. Due replies are sent between any two reads, so a
burst does not delay them. Clients that open all connections at once would run in step, and the last of each step would
wait for the others. So the first reply of each connection, and only that reply, comes later, by a different part of the
wait. The server measures itself. When stdin ends, it prints how long its replies waited, without that part, and ends.
"""

import heapq
import itertools
import json
import select
import selectors
import signal
import socket
import sys
import time
from array import array
from functools import lru_cache

BODY = rb'"{\"result\": [\"yes\", \"no\"]}"'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: keep-alive\r\n"
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
HEAD_LIMIT = 65536
STEPS = 64

clock = time.perf_counter_ns


@lru_cache(maxsize=4)
def reply_of(predictions: int) -> bytes:
    """Return a reply with that number of predictions: the course's two, or similar ones."""
    said = ", ".join(rf"\"{'no' if row % 2 else 'yes'}\"" for row in range(predictions))
    body = rf'"{{\"result\": [{said}]}}"'.encode()
    return HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


@lru_cache(maxsize=64)
def understand(head: bytes, predictions: int) -> tuple[int, bytes]:
    """Return a request's Content-Length and its reply; results are cached, because equal headers repeat."""
    lines = head.split(b"\r\n")
    length = next((int(line[15:]) for line in lines if line[:15].lower() == b"content-length:"), 0)
    path = lines[0].split(b" ")[1]
    return length, reply_of(predictions) if path == b"/score" else NOT_FOUND


class Connection:
    """A client's socket and the data that it has sent so far; one request in flight, no pipelining."""

    __slots__ = ("buffer", "extra_ns", "predictions", "reply", "sock")

    def __init__(self, sock: socket.socket, extra_ns: int, predictions: int) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.extra_ns = extra_ns
        self.predictions = predictions
        self.buffer = b""
        self.reply = b""

    def read(self) -> bool | None:
        """Read available data; return True after a complete request, None if the client is gone."""
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return False
        except ConnectionError:
            return None
        if not data:
            return None
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return None if len(self.buffer) > HEAD_LIMIT else False
        length, self.reply = understand(self.buffer[:end], self.predictions)
        if len(self.buffer) < end + 4 + length:
            return False
        self.buffer = self.buffer[end + 4 + length :]
        return True


def serve(listener: socket.socket, stop: int, delay_ns: int, *, spin: bool, predictions: int) -> "array[int]":
    """Answer until *stop* becomes readable; return the waiting time of each reply, in ns."""
    selector = selectors.DefaultSelector()
    selector.register(stop, selectors.EVENT_READ)
    selector.register(listener, selectors.EVENT_READ)
    # `select` can wait for the selector itself, and it counts microseconds.
    ready = [selector]
    due: list[tuple[int, int, Connection]] = []
    order = itertools.count()  # Breaks ties, because connections cannot be compared.
    accepted = itertools.count()
    waits = array("q")

    def release() -> None:
        while due and due[0][0] <= (now := clock()):
            at, _, connection = heapq.heappop(due)
            try:
                connection.sock.send(connection.reply)
            except OSError:
                continue  # The client left while its reply was waiting.
            waits.append(now - at + delay_ns)

    with selector:
        while True:
            if not due or not spin:
                select.select(ready, (), (), max(0, due[0][0] - clock()) / 1e9 if due else None)
            release()
            for key, _ in selector.select(0):
                connection = key.data
                if connection is not None:
                    whole = connection.read()
                    if whole:
                        at = clock() + delay_ns + connection.extra_ns
                        connection.extra_ns = 0
                        heapq.heappush(due, (at, next(order), connection))
                    elif whole is None:
                        selector.unregister(connection.sock)
                        connection.sock.close()
                    release()
                elif key.fd == stop:
                    return waits
                else:
                    sock = listener.accept()[0]
                    extra_ns = delay_ns * (next(accepted) % STEPS) // STEPS
                    selector.register(sock, selectors.EVENT_READ, Connection(sock, extra_ns, predictions))


def main() -> None:
    """Listen on a free loopback port, print it, serve, and print the waiting times."""
    # The end of the pipe stops the server, because Ctrl-C in the terminal reaches the whole process group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        print(listener.getsockname()[1], flush=True)
        delay_ns, spin = int(float(sys.argv[1]) * 1e6), sys.argv[2] == "spin"
        predictions = int(sys.argv[3]) if len(sys.argv) > 3 else 2
        waits = sorted(serve(listener, sys.stdin.fileno(), delay_ns, spin=spin, predictions=predictions))
    at = {p: waits[-(-len(waits) * p // 100) - 1] / 1e6 if waits else None for p in (50, 99, 100)}
    print(json.dumps({"count": len(waits), "p50_ms": at[50], "p99_ms": at[99], "max_ms": at[100]}))


if __name__ == "__main__":
    main()
