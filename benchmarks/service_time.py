"""Compares the reported service time with the server's own, for small and large bodies, plain and over TLS.

`python benchmarks/service_time.py` runs a server that times itself on the first core, and an open loop on the last. The
server's time goes from the first byte of a request that it reads to right before it writes the reply, which contains it
(`Server-Timing`). The rest of the service time is that of the client, the kernel and the transfer: `network` in the
report. Both sides use the machine's clock. A bare client (a blocking socket, `sendall` and `recv`) sends to the same
server at the same rate. The rest of its times is that of the kernel and the transfer alone.
"""

import argparse
import asyncio
import json
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from measure import MeasureError, environment, find_cores, pin

GOAL_MS = 0.2
SIZES = {"1 kB": 1_000, "1 MB": 1_000_000}
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer-Timing: total;dur=%.4f\r\nContent-Length: %d\r\n\r\n"
)
BODY = b'{"result": ["yes"]}'

clock = time.perf_counter_ns


class SelfTimed(asyncio.Protocol):
    """Answers each request after its last byte arrived, with the time that this took."""

    def __init__(self) -> None:
        self._head = b""
        self._left = self._began = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Receive a part of a request; there is one request in flight per connection."""
        if not self._began:
            self._began = clock()
        if not self._left:
            self._head += data
            head, blank, rest = self._head.partition(b"\r\n\r\n")
            if not blank:
                return
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            self._left, data, self._head = int(length.partition(b":")[2]), rest, b""
        self._left -= len(data)
        if not self._left:
            own_ms = (clock() - self._began) / 1e6
            self._began = 0
            self._transport.write(HEAD % (own_ms, len(BODY)) + BODY)  # type: ignore[attr-defined]


async def serve(certificate: str | None) -> None:
    """Serve on a free port and print the port, until stdin ends."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(SelfTimed, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


def measure(url: str, payload: Path, rate: float, seconds: float, core: int | None) -> dict[str, float]:
    """Run an open loop; return median service time, server's own and other time in ms, and the failed requests."""
    command = [sys.executable, "-m", "epkit", "bench", "--rate", f"{rate:g}", "-t", f"{seconds:g}", "--warmup", "1s"]
    command += [
        "-c",
        "64",
        "-p",
        str(payload),
        "--no-validate",
        "--insecure",
        "--check",
        "status",
        "--format",
        "json",
        url,
    ]
    child = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        timeout=60 + 2 * seconds,
        check=False,
        preexec_fn=pin(core),
        env=environment(OPENBLAS_NUM_THREADS="1"),
        cwd=payload.parent,
    )
    if child.returncode:
        raise MeasureError(f"{url}: exit {child.returncode}")
    report = json.loads(child.stdout)
    times = {name: report["latency_ms"][name]["percentiles"]["50"] for name in ("service", "server", "network")}
    return times | {"failed": report["counts"]["failed"], "late": report["generator"]["late_starts"]}


def measure_bare(url: str, payload: Path, rate: float, seconds: float) -> float:
    """Send with a plain blocking socket; return the median of the times minus the server's own time, in ms."""
    to, body = urlsplit(url), payload.read_bytes()
    request = f"POST {to.path} HTTP/1.1\r\nHost: {to.netloc}\r\nContent-Type: application/json\r\n".encode()
    request += b"Content-Length: %d\r\n\r\n" % len(body) + body
    above: list[float] = []
    assert to.hostname is not None
    with socket.create_connection((to.hostname, to.port or 80)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if to.scheme == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            client = context.wrap_socket(client)
        due, end = clock(), clock() + int(seconds * 1e9)
        while due < end:
            while (left := due - clock()) > 0:
                if left > 200_000:
                    time.sleep((left - 150_000) / 1e9)
            began = clock()
            client.sendall(request)
            reply = client.recv(65536)
            while not reply.endswith(BODY):
                reply += client.recv(65536)
            took_ms = (clock() - began) / 1e6
            above.append(took_ms - float(reply.partition(b"total;dur=")[2].partition(b"\r")[0]))
            due = max(due + int(1e9 / rate), clock())
        client.close()
    return statistics.median(above)


def measure_alone(url: str, payload: Path, rate: float, seconds: float, core: int | None) -> float:
    """Run `measure_bare` in a separate process, on the client's core."""
    command = [
        sys.executable,
        __file__,
        "--rate",
        f"{rate:g}",
        "--seconds",
        f"{seconds:g}",
        "--bare",
        url,
        str(payload),
    ]
    child = subprocess.run(
        command, stdout=subprocess.PIPE, timeout=60 + 2 * seconds, check=True, preexec_fn=pin(core), env=environment()
    )
    return float(child.stdout)


def main() -> int:
    """Measure each cell and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=1000.0, help="rate of the small body; the large one gets a tenth")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--large-rate", type=float, help="rate of the large body, instead of a tenth")
    parser.add_argument("--bare", nargs=2, metavar=("URL", "PAYLOAD"), help=argparse.SUPPRESS)
    parser.add_argument("--serve", nargs="?", const="", metavar="CERTIFICATE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        import uvloop

        uvloop.run(serve(options.serve or None))
        return 0
    if options.bare is not None:
        print(measure_bare(options.bare[0], Path(options.bare[1]), options.rate, options.seconds))
        return 0
    cores, note = find_cores()
    if note:
        print(note, file=sys.stderr)
    print("| body | over | rate/s | service p50 ms | server p50 ms | between, p50 ms | bare | goal | late | failed |")
    print("|---|---|--:|--:|--:|--:|--:|---|--:|--:|")
    with tempfile.TemporaryDirectory() as scratch:
        import trustme

        certificate = Path(scratch) / "server.pem"
        trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        for name, size in SIZES.items():
            payload = Path(scratch) / "payload.json"
            payload.write_text(json.dumps({"data": ["x" * (size - 13)]}), encoding="utf-8")
            rate = options.rate if size < 10_000 else options.large_rate or options.rate / 10
            for over in ("plain", "TLS"):
                command = [sys.executable, __file__, "--serve", *([str(certificate)] if over == "TLS" else [""])]
                with subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=pin(cores.server)
                ) as server:
                    assert server.stdout is not None
                    port = int(server.stdout.readline())
                    scheme = "https" if over == "TLS" else "http"
                    url = f"{scheme}://127.0.0.1:{port}/score"
                    try:
                        r = measure(url, payload, rate, options.seconds, cores.client)
                        bare = measure_alone(url, payload, rate, options.seconds, cores.client)
                    finally:
                        server.terminate()
                verdict = "pass" if r["network"] <= GOAL_MS else "miss"
                print(
                    f"| {name} | {over} | {rate:,.0f} | {r['service']:.3f} | {r['server']:.3f} | {r['network']:.3f} | "
                    f"{bare:.3f} | {verdict} | {r['late']:.0f} | {r['failed']:.0f} |"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
