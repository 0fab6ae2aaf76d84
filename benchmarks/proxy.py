"""Measures the cost of a proxy for `epkit bench`, and prints a Markdown table: `python benchmarks/proxy.py`.

    pip install . -r benchmarks/requirements.txt && python benchmarks/proxy.py [--quick] [--rounds 5]

The load is that of `run.py` at c=64, with nginx. http goes through nginx as a proxy, https through tinyproxy's tunnels.
Within a round the variants take turns: the wire engine without a proxy (`epkit`) and with one (`-X`), httpx without and
with one. A server that is further away answers fewer requests in one turn of the loop, and each costs the client more,
with or without a proxy. So `epkit, reverse` uses the same nginx as if it were the server: the same hops, without `-X`.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import servers
import speed
from clients import CLIENTS, Client, Load
from measure import Bench, MeasureError, find_cores, pin
from table import SUBJECT, Reading, speed_table

REQUESTS = 100_000
HTTPX_SHARE = 0.02
"""Share of the requests for httpx, which needs some hundred times longer for each."""

CONFIG = """
Port {port}
Listen 127.0.0.1
MaxClients 256
Timeout 600
LogFile "{scratch}/tinyproxy.log"
LogLevel Critical
ConnectPort {tls}
"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the requests, one round")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds, default 5")
    options = parser.parse_args()
    requests, rounds = (REQUESTS // 10, 1) if options.quick else (REQUESTS, options.rounds)
    cores, note = find_cores()
    failures: list[str] = []

    def complain(line: str) -> None:
        failures.append(line)
        say(f"failed: {line}")

    if note:
        say(note)
    if cores.server is not None:
        os.sched_setaffinity(0, {cores.server})
    readings: list[Reading] = []
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="epkit-benchmark-")))
        bench = Bench(cores=cores, scratch=scratch, rounds=rounds, say=say, complain=complain)
        origins = stack.enter_context(servers.nginx(scratch, core=cores.server))
        proxies = {False: origins.proxy}
        if shutil.which("tinyproxy", path=servers.search_path()):
            proxies[True] = stack.enter_context(tinyproxy(scratch, origins.tls, core=cores.server))
        else:
            say("tinyproxy: not installed, left out: no tunnels (Debian: tinyproxy)")
        for cell in speed.CELLS:
            if cell.concurrency == 64 and cell.tls in proxies:
                speed.speed(bench, [cell], ways(proxies[cell.tls], tunnels=cell.tls), origins, requests, readings)
    print(speed_table(readings))
    return 1 if failures else 0


def ways(proxy: str, *, tunnels: bool) -> list[Client]:
    """Return epkit with and without the proxy, with both engines.

    Args:
        tunnels: whether the proxy only opens tunnels; otherwise it also answers like a server.
    """
    epkit = next(client for client in CLIENTS if client.name == SUBJECT)

    def by(name: str, *flags: str, share: float = 1.0) -> Client:
        def command(load: Load) -> list[str]:
            program, verb, *rest = epkit.command(load)
            return [program, verb, *flags, *rest]

        return replace(epkit, name=name, command=command, share=share)

    def reverse(load: Load) -> list[str]:
        return epkit.command(replace(load, url=f"http://{proxy}/score"))

    return [
        epkit,
        by(f"{SUBJECT} -X", "-X", proxy),
        *([] if tunnels else [replace(epkit, name=f"{SUBJECT}, reverse", command=reverse)]),
        by("httpx", "--engine", "httpx", share=HTTPX_SHARE),
        by("httpx -X", "--engine", "httpx", "-X", proxy, share=HTTPX_SHARE),
    ]


@contextmanager
def tinyproxy(scratch: Path, origin: str, *, core: int | None) -> Iterator[str]:
    """Run tinyproxy, which opens tunnels only to *origin*; yield `HOST:PORT`.

    Raises:
        MeasureError: it did not start.
    """
    program = shutil.which("tinyproxy", path=servers.search_path()) or "tinyproxy"
    port = servers.free_port()
    config = scratch / "tinyproxy.conf"
    config.write_text(CONFIG.format(port=port, scratch=scratch, tls=origin.rpartition(":")[2]))
    process = subprocess.Popen(
        [program, "-d", "-c", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=pin(core),
    )
    try:
        if not servers.answers(process, port):
            raise MeasureError("tinyproxy: did not start")
        yield f"127.0.0.1:{port}"
    finally:
        servers.stop(process)


def say(line: str) -> None:
    """Report the progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
