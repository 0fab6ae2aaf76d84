"""Serves an MLflow model with MLflow's own scoring server; a child of the supervisor, like `local.server`.

Theory of operation. MLflow's server is an ASGI application. gunicorn's threads, the check of keys and the supervisor's
pipes are those of the inference server. A bridge runs each request on one event loop, which has its own thread. A front
adds the parts that MLflow's server lacks: `/` for health, `/swagger.json`, a line of log and, if Application Insights
is on, a record of each scoring request, written by the inference server's own exporter.
"""

import asyncio
import datetime
import importlib
import os
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from epkit.backends.local.server import LocalServer, serve
from epkit.bank.serve import Wsgi, gate
from epkit.core.hosting.mlflow_models import SCORING_PATH

HEALTH: Final = "/ping"
"""Health page of MLflow's server."""

MOST_ID: Final = 100
"""Greatest length of a request's id that is accepted, as in the inference server."""

Start = Callable[..., Any]


class MlflowServer(LocalServer):
    """The server of an MLflow model; the current directory is the model's."""

    def load(self) -> Wsgi:
        """Return MLflow's server behind the check of keys. The worker calls this, and loads the model here."""
        os.environ["__pyfunc_model_path__"] = os.getcwd()  # noqa: PTH109, SIM112 - so it is called
        contract = Path(os.environ["EPKIT_CONTRACT"]).read_bytes()
        application = importlib.import_module("mlflow.pyfunc.scoring_server.app").app
        return gate(Front(Bridge(application), contract), *self.keys)


class Bridge:
    """Runs an ASGI application as WSGI: requests from many threads, one event loop, complete bodies."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="asgi", daemon=True).start()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer a WSGI request."""
        body = environ["wsgi.input"].read()
        answer = asyncio.run_coroutine_threadsafe(self._answer(_scope(environ), body), self._loop)
        status, headers, content = answer.result()
        start_response(_line(status), headers)
        return [content]

    async def _answer(self, scope: dict[str, Any], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        received, ended = False, asyncio.Event()
        start: dict[str, Any] = {"status": 500, "headers": []}
        chunks: list[bytes] = []

        async def receive() -> dict[str, Any]:
            nonlocal received
            if received:
                await ended.wait()
                return {"type": "http.disconnect"}
            received = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        try:
            await self._app(scope, receive, send)
        except Exception:  # noqa: BLE001 - Starlette raises on what it has answered with 500 already
            traceback.print_exc()
        finally:
            ended.set()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in start["headers"]]
        return start["status"], headers, b"".join(chunks)


def _scope(environ: dict[str, Any]) -> dict[str, Any]:
    """Return the ASGI scope of a WSGI request.

    Source: ASGI 3.0, HTTP connection scope; PEP 3333: paths and headers are bytes as Latin-1.
    """
    path = environ["PATH_INFO"].encode("latin-1")
    headers = {name[5:]: value for name, value in environ.items() if name.startswith("HTTP_")}
    headers |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
    named = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": environ["REQUEST_METHOD"],
        "scheme": "http",
        "path": path.decode("utf-8", "replace"),
        "raw_path": path,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
        "root_path": "",
        "headers": named,
        "client": None,
        "server": ("127.0.0.1", int(environ["SERVER_PORT"])),
    }


def _line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} "


class Front:
    """Adds health, contract, log and telemetry to MLflow's server, in the form of the inference server."""

    def __init__(self, app: Wsgi, contract: bytes) -> None:
        self._app = app
        self._contract = contract
        self._telemetry = _telemetry()

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Answer a WSGI request."""
        path = environ["PATH_INFO"]
        if path == "/swagger.json":
            length = str(len(self._contract))
            start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", length)])
            return [self._contract]
        if path == "/":
            environ["PATH_INFO"] = HEALTH
        if path != SCORING_PATH:
            return self._app(environ, start_response)
        return self._score(environ, start_response)

    def _score(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        began, start_ns = datetime.datetime.now(datetime.UTC).replace(tzinfo=None), time.perf_counter_ns()
        request_id = environ.get("HTTP_X_REQUEST_ID", "")[:MOST_ID] or str(uuid.uuid4())
        client_id = environ.get("HTTP_X_MS_CLIENT_REQUEST_ID", "")[:MOST_ID]
        status = ""

        def start(line: str, headers: list[tuple[str, str]]) -> None:
            nonlocal status
            status = line
            own = [("x-request-id", request_id), *([("x-ms-client-request-id", client_id)] if client_id else [])]
            start_response(line, [*headers, *own])

        content = b"".join(self._app(environ, start))
        took_ms = (time.perf_counter_ns() - start_ns) / 1e6
        print(f"{began.isoformat(timespec='milliseconds')}Z POST {SCORING_PATH} {status[:3]} {took_ms:.3f} ms "  # noqa: T201
              f"{len(content)} bytes")  # fmt: skip
        if self._telemetry is not None:
            from werkzeug.wrappers import Request, Response  # a dependency of the inference server

            self._telemetry.log_request(
                Request(environ),
                Response(content, status),
                start_datetime=began,
                duration_ms=took_ms,
                request_id=request_id,
                client_request_id=client_id,
            )
        return [content]


def _telemetry() -> Any:
    """Return the inference server's own exporter; None if Application Insights is off."""
    if os.environ.get("AML_APP_INSIGHTS_ENABLED") != "true":
        return None
    return importlib.import_module("azureml_inference_server_http.server.appinsights_client").AppInsightsClient()


if __name__ == "__main__":
    serve(MlflowServer)
