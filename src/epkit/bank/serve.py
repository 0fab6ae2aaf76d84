"""Serves the bank-marketing model behind a key: the child process of `epkit.endpoint.embedded`.

Theory of operation. The parent passes three file descriptors; their numbers are on the command line:

    listener   a bound TCP socket; the parent chose the port by binding it
    lifeline   the read end of a pipe: it delivers the key, one line, then nothing until the parent has ended
    ready      the write end of a pipe: one byte when the endpoint answers; closed when everything has ended

gunicorn's master forks one worker, which runs the genuine server. A thread in the worker reads the lifeline. When the
parent closes it or ends in any way, that read returns, and the worker ends. The master reaps the worker, sees the same
end of the lifeline, and ends too. So no signal is needed, and init adopts no process while the parent runs. There is
nothing to clean up, because no file was written.
"""

import hmac
import importlib
import importlib.metadata
import logging
import os
import select
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from gunicorn.app.base import BaseApplication

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MALFORMED: Final = b'Authorization header is malformed. Header should be in the form: "Authorization: Bearer <token>"'
REFUSED: Final = b"Unauthorized: the key in the Authorization header is missing or wrong"


def main() -> None:
    """Serve until the end of the lifeline."""
    listener, lifeline, ready = (int(argument) for argument in sys.argv[1:])
    key = read_line(lifeline)
    if not key:
        return  # the parent has already ended
    os.environ.update(
        AML_APP_ROOT=str(Path(__file__).parent),
        AZUREML_ENTRY_SCRIPT="score.py",
        AML_APP_INSIGHTS_ENABLED="false",
        SERVICE_NAME="bank-marketing",
        # azmlinfsrv, the server's own command, sets the same value.
        HTTP_X_MS_SERVER_VERSION="azmlinfsrv/" + importlib.metadata.version("azureml-inference-server-http"),
    )
    EndpointServer(listener=listener, lifeline=lifeline, ready=ready, keys=[key]).run()


class EndpointServer(BaseApplication):  # type: ignore[misc]
    """gunicorn with one worker of a few threads, so that connections are kept alive."""

    def __init__(self, *, listener: int, lifeline: int, ready: int, keys: Sequence[bytes]) -> None:
        self._listener = listener
        self._lifeline = lifeline
        self.ready = ready
        self.keys = tuple(keys)
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's settings; its own files, arguments and variables are not read."""
        settings: dict[str, Any] = {
            "bind": f"fd://{self._listener}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": 4,
            "worker_connections": 2048,  # greatest number of open connections
            "keepalive": 75,
            "timeout": 0,  # the worker must survive the sleep of a laptop
            "loglevel": "warning",
            "post_fork": self._forked,
            "post_worker_init": self._initialised,
            "child_exit": self._reaped,
        }
        if os.access("/dev/shm", os.W_OK):  # noqa: S108 - gunicorn's heartbeat: a file without a name
            settings["worker_tmp_dir"] = "/dev/shm"  # noqa: S108
        if "control_socket_disable" in self.cfg.settings:  # since gunicorn 25: a socket in the user's home
            settings["control_socket_disable"] = True
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Wsgi:
        """Return the genuine server behind the gate; the worker calls this."""
        entry = importlib.import_module("azureml_inference_server_http.server.entry")
        return gate(entry.app, *self.keys)

    def _forked(self, _arbiter: Any, _worker: Any) -> None:
        threading.Thread(target=self._end_with_parent, name="lifeline", daemon=True).start()

    def _end_with_parent(self) -> None:
        while os.read(self._lifeline, 512):
            pass
        os._exit(0)

    def _initialised(self, _worker: Any) -> None:
        # From here on nobody reads the log; a long run must not fill the disk with a line per request.
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        os.write(self.ready, b"+")

    def _reaped(self, _arbiter: Any, _worker: Any) -> None:
        poller = select.poll()
        poller.register(self._lifeline, select.POLLIN)
        if poller.poll(0):
            os._exit(0)


def gate(app: Wsgi, *keys: bytes) -> Wsgi:
    """Let only requests with one of the keys pass, as Azure's front end does; health (`/`) needs no key.

    Args:
        app: the application behind the gate.
        keys: without `Bearer`.

    Source: the reply to a malformed header has the exact words of an Azure container instance; the text of the 401 is
    this project's.
    """

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/":
            return app(environ, start_response)
        header = environ.get("HTTP_AUTHORIZATION", "").encode("latin-1")
        scheme, _, token = header.partition(b" ")
        if header and (scheme.lower() != b"bearer" or not token.strip()):
            return _refuse(start_response, "400 Bad Request", MALFORMED)
        # Compare with each key, so that the time does not show which key is similar.
        if not sum(hmac.compare_digest(token.strip(), key) for key in keys):
            return _refuse(start_response, "401 Unauthorized", REFUSED)
        return app(environ, start_response)

    return guarded


def _refuse(start_response: Callable[..., Any], status: str, body: bytes) -> Iterable[bytes]:
    length = str(len(body))
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", length)])
    return [body]


def read_line(fd: int) -> bytes:
    """Read the only line of a pipe; empty if the pipe ends before the line does."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = os.read(fd, 512)
        if not chunk:
            return b""
        line += chunk
    return line.rstrip(b"\n")


if __name__ == "__main__":
    main()
