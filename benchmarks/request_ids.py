"""Measures the cost of `--request-ids` for a request: `python benchmarks/request_ids.py` prints a Markdown table.

    pip install . && python benchmarks/request_ids.py [--base ../other/src] [--rounds 5]

The cost is tenths of a microsecond. The noise of a kernel and a server would hide it, so the script uses neither: a
connection of the wire engine and the driver of a closed loop get replies from memory, and their writes are dropped. The
figure covers all that epkit does for a request: reading the reply, judging and storing it, and writing the next
request. Within a round the variants take turns, each in a separate process. A figure is the minimum of many short
periods of CPU time, because other work on the machine can only raise them. With `--base`, another checkout of epkit
takes part, without ids.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from measure import environment

STRETCH = 5_000
STRETCHES = 60
HEADER = "x-ms-client-request-id"
RUN = "4f0c9d1e2ab37788"
BODY = (Path(__file__).parent / "payload.json").read_bytes()
HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 28 Nov 2026 00:50:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: 33\r\nConnection: keep-alive\r\n"
)
REPLY = b'"{\\"result\\": [\\"yes\\", \\"no\\"]}"'
WAYS = {
    "no ids": "",
    "`--request-ids`": HEADER,
    "`--request-ids=traceparent`": "traceparent",
    "`--request-ids`, and the server sends the id back": "echo",
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base", metavar="SRC", help="the src directory of another checkout")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds, default 5")
    parser.add_argument("--one", choices=[*WAYS.values()], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(min(_stretch(options.one) for _ in range(STRETCHES)))
        return 0
    own = str(Path(__file__).resolve().parent.parent / "src")
    ways = {name: (own, way) for name, way in WAYS.items()}
    if options.base is not None:
        ways = {"no ids, base": (str(Path(options.base).resolve()), ""), **ways}
    costs: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, (source, way) in ways.items():
            command = [sys.executable, str(Path(__file__).resolve()), "--one", way]
            done = subprocess.run(
                command, env=environment(PYTHONPATH=source), capture_output=True, text=True, check=True, cwd=os.sep
            )
            costs[name].append(float(done.stdout))
    least = min(costs["no ids"])
    print("| what is sent | CPU µs/request | more than without |\n|---|--:|--:|")
    for name, found in costs.items():
        print(f"| {name} | {min(found):.2f} | {min(found) - least:+.2f} |")
    return 0


class _Nowhere:
    """A transport that drops everything that is written."""

    def set_write_buffer_limits(self, high: int) -> None:
        """Do nothing: nothing is buffered."""

    def write(self, data: bytes) -> None:
        """Drop the data."""


class _Engine:
    """The parts of an engine that a connection needs if it is never closed."""

    keepalive = True

    def __init__(self) -> None:
        self.stamps: Any = None
        self.next: Any = None
        self.done: Any = None

    def crash(self, error: BaseException) -> None:
        """Raise the error."""
        raise error


def _stretch(way: str) -> float:
    """Answer some requests, and return the cost of one, in µs of CPU."""
    from epkit.core.http.request import Request, build
    from epkit.core.load.phases import PhaseTimes
    from epkit.core.load.plan import Phase
    from epkit.engines.driver import ClosedLoop, Judging
    from epkit.engines.wire.connection import Connection, clock

    engine, kind, header = _Engine(), Connection, HEADER if way == "echo" else way
    given = [("User-Agent", "epkit"), ("Accept", "*/*"), ("Content-Type", "application/json")]
    request: Request = build("POST", "/score", "127.0.0.1:8000", given, BODY)
    if header:
        # Not imported above, because another checkout may not have them.
        from epkit.core.http.request_ids import RequestIds, numbered, unnumbered
        from epkit.engines.stamps import Stamps
        from epkit.engines.wire.numbered import NumberedConnection

        ids, kind = RequestIds(header=header, run=RUN), NumberedConnection
        engine.stamps = Stamps(ids)
        request = numbered(build("POST", "/score", "127.0.0.1:8000", [*given, unnumbered(header)], BODY), ids)
    phase, judging = Phase(requests=STRETCH + 1), Judging(sinks=())
    driver = ClosedLoop(phase, [request], [2], judging, PhaseTimes())
    if header:
        driver.stamps = engine.stamps
    driver.begin()
    engine.next, engine.done = driver.next, driver.done
    connection: Any = kind(engine)  # type: ignore[arg-type] # all that it asks for
    connection.connection_made(_Nowhere())
    start = connection.start = connection.tcp = connection.connected = clock()
    connection.send(driver.next(start))
    answer = connection.data_received
    if way != "echo":
        reply = HEAD + b"\r\n" + REPLY
        began = time.process_time_ns()
        for _ in range(STRETCH):
            answer(reply)
        return (time.process_time_ns() - began) / STRETCH / 1000
    before, after = HEAD + f"{HEADER}: {RUN}-".encode(), b"\r\n\r\n" + REPLY
    began = time.process_time_ns()
    for _ in range(STRETCH):
        answer(before + connection.number + after)
    spent = time.process_time_ns() - began
    began = time.process_time_ns()
    for _ in range(STRETCH):
        before + connection.number + after  # what writing the replies cost here
    return (spent - (time.process_time_ns() - began)) / STRETCH / 1000


if __name__ == "__main__":
    sys.exit(main())
