"""The clients: the command of each, the parser of its report, and its share of the requests."""

import importlib.util
import shutil
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import outputs
from measure import Finished, MeasureError, environment, run

HERE = Path(__file__).parent
PAYLOAD = HERE / "payload.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of one run of a client; *seconds* is for a client that accepts only a duration."""

    url: str
    concurrency: int
    requests: int
    seconds: int
    scratch: Path
    core: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program that sends the load.

    `share` is the client's part of a cell's requests: slow clients would otherwise take minutes. `variables` are added
    to its environment.
    """

    name: str
    command: Callable[[Load], list[str]]
    read: Callable[[Finished, Load], outputs.Measured]
    missing: Callable[[], str | None]
    share: float = 1.0
    by_time: bool = False
    variables: tuple[tuple[str, str], ...] = ()

    def send(self, load: Load) -> tuple[outputs.Measured, Finished]:
        """Run the client once.

        Raises:
            MeasureError: the client failed, or one of its requests did.
        """
        finished = run(
            self.command(load),
            core=load.core,
            cwd=load.scratch,
            timeout_s=300 + load.seconds + load.requests / 1000,
            env=environment(BENCHMARK_PAYLOAD=str(PAYLOAD), **dict(self.variables)),
        )
        try:
            return self.read(finished, load), finished
        except outputs.OutputError as error:
            raise MeasureError(str(error)) from error


def epkit_program() -> str:
    """Return the epkit of this Python, otherwise the one on PATH, otherwise the bare word."""
    nearby = Path(sysconfig.get_path("scripts")) / "epkit"
    return str(nearby) if nearby.exists() else shutil.which("epkit") or "epkit"


def epkit_command(load: Load) -> list[str]:
    """Return `epkit bench …`; certificates are not verified, because ab, wrk and hey cannot verify them."""
    tls = ["--insecure"] if load.url.startswith("https") else []
    sizes = ["-n", str(load.requests), "-c", str(load.concurrency)]
    options = ["-p", str(PAYLOAD), "--no-validate", "--format", "json", *tls]
    return [epkit_program(), "bench", *sizes, *options, load.url]


def ab_command(load: Load) -> list[str]:
    """Return `ab -k …`."""
    sizes = ["-n", str(load.requests), "-c", str(load.concurrency)]
    body = ["-p", str(PAYLOAD), "-T", "application/json"]
    return ["ab", "-k", "-q", *sizes, *body, "-e", str(load.scratch / "ab.csv"), load.url]


def wrk_command(load: Load) -> list[str]:
    """Return `wrk -t1 …`; the environment names the payload."""
    sizes = ["-t1", f"-c{load.concurrency}", f"-d{load.seconds}s"]
    return ["wrk", *sizes, "-s", str(HERE / "wrk.lua"), load.url]


def hey_command(load: Load) -> list[str]:
    """Return `hey -cpus 1 …`."""
    sizes = ["-n", str(load.requests), "-c", str(load.concurrency), "-cpus", "1"]
    body = ["-m", "POST", "-T", "application/json", "-D", str(PAYLOAD)]
    return ["hey", *sizes, *body, load.url]


def python_command(library: str) -> Callable[[Load], list[str]]:
    """Return the command of a Python peer."""

    def command(load: Load) -> list[str]:
        sizes = [str(load.requests), str(load.concurrency)]
        return [sys.executable, str(HERE / "python_clients.py"), library, load.url, *sizes, str(PAYLOAD)]

    return command


def read_ab(finished: Finished, load: Load) -> outputs.Measured:
    """Read ab's report and its file of percentiles."""
    return outputs.from_ab(finished.stdout, (load.scratch / "ab.csv").read_text())


def no_program(name: str) -> Callable[[], str | None]:
    """Return a check that reports a missing program *name*."""
    return lambda: None if shutil.which(name) else f"{name}: not on PATH, left out"


def no_package(name: str) -> Callable[[], str | None]:
    """Return a check that reports a missing package *name*."""
    return lambda: None if importlib.util.find_spec(name) else f"{name}: not installed, left out"


CLIENTS = (
    Client(
        name="epkit",
        command=epkit_command,
        read=lambda finished, _: outputs.from_epkit(finished.stdout),
        missing=lambda: None if shutil.which(epkit_program()) else "epkit: not installed, left out",
    ),
    Client(
        name="epkit, Python",
        command=epkit_command,
        read=lambda finished, _: outputs.from_epkit(finished.stdout),
        missing=lambda: None if shutil.which(epkit_program()) else "epkit: not installed, left out",
        variables=(("EPKIT_ENGINE", "python"),),
    ),
    Client(name="ab", command=ab_command, read=read_ab, missing=no_program("ab")),
    Client(
        name="wrk",
        command=wrk_command,
        read=lambda finished, _: outputs.from_wrk(finished.stdout),
        missing=no_program("wrk"),
        by_time=True,
    ),
    Client(
        name="hey",
        command=hey_command,
        read=lambda finished, _: outputs.from_hey(finished.stdout),
        missing=no_program("hey"),
        share=0.5,
    ),
    Client(
        name="aiohttp",
        command=python_command("aiohttp"),
        read=lambda finished, _: outputs.from_python_client(finished.stdout),
        missing=no_package("aiohttp"),
        share=0.25,
    ),
    Client(
        name="httpx",
        command=python_command("httpx"),
        read=lambda finished, _: outputs.from_python_client(finished.stdout),
        missing=no_package("httpx"),
        share=0.01,
    ),
)
