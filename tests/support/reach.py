"""Every command that has a target, called in the same way: one value sets the proxy and the trusted authorities."""

import contextlib
import io
import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
import pytest

import epkit
from epkit.core.hosting.deployments import Endpoint, Keys, Order, Script
from epkit.core.http.destination import Tls
from epkit.core.http.secret import Secret
from epkit.flows.context import Context
from epkit.flows.hosting import deploy
from epkit.flows.hosting.backends import Place
from epkit.flows.target.request_options import RequestOptions, TargetOptions
from support.canary import CANARY
from support.certificates import Certificates
from support.cli_harness import Cli

CONTRACT: Final = (
    b'{"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "name": "payload", "schema": '
    b'{"type": "object", "properties": {"data": {"type": "array", "items": {"type": "object", "properties": '
    b'{"age": {"type": "integer"}}}}}, "example": {"data": [{"age": 17}]}}}], "responses": {"200": {"schema": '
    b'{"type": "object"}}}}}}}'
)

ROW: Final = '{"data": [{"age": 17}]}'

Handle = Callable[[BaseHTTPRequestHandler], None]


def reply(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer a request."""
    request.send_response(status)
    for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


class Target:
    """A scoring endpoint on loopback, a context manager; a test can replace the reply with its contract.

    Args:
        one_at_a_time: serve one connection at a time, until its client closes it.

    Attributes:
        contract: function that answers `GET …/swagger.json`.
        seen: method, path and headers of each request.
    """

    def __init__(
        self, certificates: Certificates | None = None, contract: Handle | None = None, *, one_at_a_time: bool = False
    ) -> None:
        self.contract = contract or (lambda request: reply(request, CONTRACT))
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if one_at_a_time else "HTTP/1.0"

            def do_GET(self) -> None:
                server.seen.append(("GET", self.path, {name.lower(): value for name, value in self.headers.items()}))
                with contextlib.suppress(OSError):
                    if self.path == "/swagger.json":
                        server.contract(self)
                    else:
                        reply(self, CONTRACT if self.path == "/moved.json" else b'"Healthy"')

            def do_POST(self) -> None:
                server.seen.append(("POST", self.path, {name.lower(): value for name, value in self.headers.items()}))
                self.rfile.read(int(self.headers["Content-Length"]))
                reply(self, b'{"result": ["yes"]}')

            def log_message(self, *_: object) -> None:
                """Do nothing."""

        class Server(HTTPServer if one_at_a_time else ThreadingHTTPServer):  # type: ignore[misc]
            daemon_threads = True

            def finish_request(self, request: Any, client_address: Any) -> None:
                with contextlib.suppress(OSError):  # a handshake that the client aborts
                    if certificates is not None:
                        request = certificates.contexts["valid"].wrap_socket(request, server_side=True)
                    super().finish_request(request, client_address)
                    request.close()

        self._server = Server(("127.0.0.1", 0), Handler)
        self.origin = f"{'http' if certificates is None else 'https'}://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.origin}/score"

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The connection of a command to its target.

    Args:
        proxy: `HOST:PORT`; *user* is `user:password` for the proxy.
        seconds: time limit of a request for a contract, for commands without a load.
        schema: a contract at another place.
    """

    cacert: str | None = None
    insecure: bool = False
    proxy: str | None = None
    user: str | None = None
    seconds: float | None = None
    schema: str | None = None

    def flags(self, *, load: bool = False) -> list[str]:
        """Return the flags of the command line."""
        pairs = [("--cacert", self.cacert), ("-X", self.proxy), ("-P", self.user), ("--schema", self.schema)]
        pairs += [] if load or self.seconds is None else [("-s", str(self.seconds))]
        found = [text for flag, value in pairs if value is not None for text in (flag, value)]
        return [*found, *(["--insecure"] if self.insecure else [])]

    def keywords(self) -> dict[str, Any]:
        """Return the arguments of a Python function."""
        found: dict[str, Any] = {"cacert": self.cacert, "insecure": self.insecure}
        if self.proxy is not None:
            user, _, password = (self.user or "").partition(":")
            found["proxy"] = f"http://{user}:{quote(password)}@{self.proxy}" if self.user else self.proxy
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The result of a command.

    Args:
        well: whether it succeeded.
        text: all of its output.
    """

    well: bool
    text: str


@dataclass(slots=True, kw_only=True)
class Desk:
    """The place where commands run: a directory, an environment, and a key file that contains the canary."""

    cli: Cli
    caplog: pytest.LogCaptureFixture
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.cli.write("row.json", ROW)
        self.key = str(self.cli.directory / self.cli.write("the.key", CANARY))

    def typed(self, *arguments: object) -> Said:
        """Run a command line."""
        ran = self.cli(*arguments)
        return Said(well=ran.code == 0, text=ran.out + ran.err)

    def called(self, call: Callable[[], Said]) -> Said:
        """Call a Python function; if it raises an error of epkit, the result has its message."""
        self.caplog.clear()
        with self.caplog.at_level(logging.INFO, "epkit"):
            try:
                said = call()
            except epkit.EpkitError as error:
                said = Said(well=False, text=str(error))
        return replace(said, text=f"{said.text}\n{self.caplog.text}")


def _bench(desk: Desk, url: str, way: Way) -> Said:
    return desk.typed("bench", "-n", 1, "--key-file", desk.key, *way.flags(load=True), url)


def _score(desk: Desk, url: str, way: Way) -> Said:
    flags = ["--retries", 0, "--key-file", desk.key, *way.flags(load=True)]
    return desk.typed("score", "row.json", "--target", url, *flags)


def _validate(desk: Desk, url: str, way: Way) -> Said:
    return desk.typed("validate", "row.json", "--target", url, "--key-file", desk.key, *way.flags())


def _sample(desk: Desk, url: str, way: Way) -> Said:
    return desk.typed("sample", "--target", url, "--key-file", desk.key, *way.flags())


def _check(desk: Desk, url: str, way: Way) -> Said:
    return desk.typed("check", url, "--key-file", desk.key, *way.flags())


def _docs(desk: Desk, url: str, way: Way) -> Said:
    """Open the page, and score through it."""
    with desk.cli.start("docs", "--port", 0, "--key-file", desk.key, *way.flags(), url) as process:
        assert process.stdout is not None
        line = process.stdout.readline().decode().strip()
        if not line:
            return Said(well=False, text=desk.cli.finished(process).err)
        with httpx.Client(trust_env=False, timeout=20) as browser:
            relayed = browser.post(f"{line}_target/score", json={"data": []})
        process.send_signal(signal.SIGINT)
        return Said(well=relayed.status_code == 200, text=relayed.text + desk.cli.finished(process).err)


class _Cloud:
    """A backend whose endpoint exists already: the target that a test started."""

    name = "azureml-v1"

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def create(self, order: Order, say: Callable[[str], None]) -> Endpoint:
        return self._endpoint

    def keys(self, name: str) -> Keys:
        return Keys(primary=Secret(CANARY), secondary=Secret(CANARY))


def _deploy(desk: Desk, url: str, way: Way) -> Said:
    """Treat the endpoint as just deployed: fetch its contract, and score a row."""
    swagger = way.schema or url.replace("/score", "/swagger.json")
    endpoint = Endpoint(
        name="bank",
        backend="azureml-v1",
        state="Healthy",
        scoring_uri=url,
        swagger_uri=swagger,
        auth="key",
        app_insights=False,
        compute="aci",
        created_at=None,
        error=None,
        deployments=(),
    )
    notes = io.StringIO()
    home = {"HOME": str(desk.cli.directory), "XDG_STATE_HOME": str(desk.cli.directory / "state")}
    context = Context(environ=home, cwd=desk.cli.directory, note=lambda line: print(line, file=notes))
    place = Place(backend=_Cloud(endpoint), name="bank", service="bank", entry=None, config=None)  # type: ignore[arg-type]
    reach = TargetOptions(
        timeout_s=way.seconds,
        tls=Tls(verify=not way.insecure, cacert=way.cacert),
        request=RequestOptions(proxy=way.proxy, proxy_basic=way.user),
    )
    order = Order(name="bank", model=".", script=Script(code=".", entry="score.py"))

    def call() -> Said:
        made = deploy.create(place, order, context, reach)
        return Said(well=made.scored is not None, text=notes.getvalue())

    return desk.called(call)


def _load(desk: Desk, url: str, way: Way) -> Said:
    limits = {} if way.seconds is None else {"timeout_s": way.seconds}

    def call() -> Said:
        source = way.schema or url.replace("/score", "/swagger.json")
        found = epkit.Contract.load(source, key_file=desk.key, **way.keywords(), **limits)
        return Said(well=found.example is not None, text="")

    return desk.called(call)


def _run_bench(desk: Desk, url: str, way: Way) -> Said:
    def call() -> Said:
        report = epkit.run_bench(url, key_file=desk.key, schema=way.schema, **way.keywords())
        return Said(well=report.counts.ok == 1, text="\n".join(failure.advice for failure in report.failures))

    return desk.called(call)


def _run_score(desk: Desk, url: str, way: Way) -> Said:
    def call() -> Said:
        options = {"key_file": desk.key, "schema": way.schema, "retries": 0, **way.keywords()}
        found = epkit.run_score(url, [{"age": 17}], **options)
        return Said(well=list(found) == ["yes"], text=str(getattr(found, "failures", "")))

    return desk.called(call)


COMMANDS: Final[dict[str, Callable[[Desk, str, Way], Said]]] = {
    "bench": _bench,
    "score": _score,
    "validate": _validate,
    "sample": _sample,
    "check": _check,
    "docs": _docs,
    "deploy create": _deploy,
    "Contract.load": _load,
    "epkit.run_bench": _run_bench,
    "epkit.run_score": _run_score,
}
"""Functions that run a command with its key, and return the result."""


@contextlib.contextmanager
def trusting(monkeypatch: pytest.MonkeyPatch, cli: Cli, file: str) -> Iterator[None]:
    """Set SSL_CERT_FILE, so that this process and its children trust the authorities in a file."""
    with monkeypatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", file)
        cli.environ["SSL_CERT_FILE"] = file
        yield
        del cli.environ["SSL_CERT_FILE"]


def drip(request: BaseHTTPRequestHandler) -> None:
    """Send one byte per second."""
    request.send_response(200)
    request.end_headers()
    for _ in range(60):
        request.wfile.write(b" ")
        time.sleep(1)


def endless(request: BaseHTTPRequestHandler) -> None:
    """Send as fast as the client reads, until it stops."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b" " * 65536)
