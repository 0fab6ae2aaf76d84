"""A server of a published pipeline with both of Azure's protocols; it records its requests, and fails on demand."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from support.canary import CANARY


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was received; the names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True, kw_only=True)
class Answer:
    """A reply that replaces the usual one.

    Args:
        drop: close the connection after the request was read.
        times: number of requests that it affects; later ones are answered normally.
    """

    status: int = 500
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    times: int = 10**9


class PipelineServer:
    """The server in a thread; a context manager. It can be stopped, and started again at the same port.

    Attributes:
        asked: the requests, in order.
        stages: the statuses of a run, one after each look; the last one stays.
        own: epkit's own properties of a run that has ended, without `epkit.` before the names.
        log: log of every run.
        instead: replies by (method, end of the path) that replace the usual ones.
        before: function that is called before a request is answered.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.stages = ["Queued", "Running", "Completed"]
        self.own: dict[str, Any] = {}
        self.log = b""
        self.instead: dict[tuple[str, str], Answer] = {}
        self.before: Callable[[Asked], None] = lambda _: None
        self.looks: dict[str, int] = {}
        self.keys: dict[str, str] = {}
        self._port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def url(self, wire: str = "jobs") -> str:
        """Return the URL that starts a run, in one of the two protocols."""
        return self.origin + ("/jobs" if wire == "jobs" else "/PipelineRuns/PipelineSubmit/bank")

    def posts(self) -> list[Asked]:
        """Return the requests that start a run."""
        return [each for each in self.asked if each.method == "POST" and not each.path.endswith("/cancel")]

    def start(self) -> None:
        """Start to listen, at its former port if it had one."""
        self._server = _Server(("127.0.0.1", self._port), _handler(self))
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def answer(self, asked: Asked) -> Answer:
        """Answer a request."""
        self.asked.append(asked)
        self.before(asked)
        for (method, ending), answer in self.instead.items():
            if method == asked.method and asked.path.partition("?")[0].endswith(ending) and answer.times > 0:
                answer.times -= 1
                return answer
        if asked.headers.get("authorization") != f"Bearer {CANARY}":
            return Answer(status=401, body={"error": {"code": "Unauthorized", "message": f"not {asked.headers}"}})
        return self._usual(asked)

    def _usual(self, asked: Asked) -> Answer:
        path, _, query = asked.path.partition("?")
        submit = "/PipelineRuns/" in path
        if asked.method == "POST" and path in ("/jobs", "/PipelineRuns/PipelineSubmit/bank"):
            run = self._begun(asked)
            return Answer(status=200, body={"Id": run}) if submit else Answer(status=201, body=self._job(run))
        if path in ("/jobs", "/PipelineRuns/Pipeline/bank"):
            return Answer(
                status=200, body=[self._v1(run) if submit else self._job(run) for run in reversed(self.looks)]
            )
        run = path.removesuffix("/cancel").removesuffix("/Execution").removesuffix("/log").rpartition("/")[2]
        if run not in self.looks:
            return Answer(status=404, body={"error": {"code": "UserError", "message": f"Run {run} was not found."}})
        if path.endswith("/log"):
            offset = int(query.removeprefix("offset="))
            piece = self.log[offset : offset + 20].rpartition(b"\n")
            data = b"".join(piece[:2]) or self.log[offset:]
            body = {"offset": offset, "next": offset + len(data), "text": data.decode(), "over": True}
            return Answer(status=200, body=body)
        if asked.method == "DELETE" or path.endswith("/cancel"):
            self.stages = ["Canceled"]
            return Answer(status=200, body={})
        self.looks[run] += 1
        return Answer(status=200, body=self._v1(run) if submit else self._job(run))

    def _begun(self, asked: Asked) -> str:
        key = asked.headers.get("idempotency-key", "")
        run = self.keys.setdefault(key, f"bank-{len(self.looks) + 1}")
        self.looks.setdefault(run, -1)
        return run

    def _status(self, run: str) -> str:
        return self.stages[min(max(self.looks[run], 0), len(self.stages) - 1)]

    def _own(self, run: str) -> dict[str, str]:
        over = self._status(run) == self.stages[-1]
        return {f"epkit.{name}": str(value) for name, value in self.own.items()} if over else {}

    def _job(self, run: str) -> dict[str, Any]:
        own = self._own(run)
        return {"name": run, "properties": {"status": self._status(run), "experimentName": "bank", "properties": own}}

    def _v1(self, run: str) -> dict[str, Any]:
        status = {"Queued": "NotStarted", "Completed": "Finished"}.get(self._status(run), self._status(run))
        return {"Id": run, "Status": {"StatusCode": status}, "Properties": self._own(run)}


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing: a client may disconnect at any time."""


def _handler(server: PipelineServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called there
            """Do nothing."""

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(method=self.command, path=self.path, headers=headers, body=json.loads(body) if body else None)
            answer = server.answer(asked)
            if answer.drop:
                self.close_connection = True
                return
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(content)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - as they are called there

    return Handler


def until(condition: Callable[[], bool], *, limit_s: float = 20.0) -> None:
    """Wait until a condition is true."""
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.01)
