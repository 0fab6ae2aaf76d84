"""Serves a user's script behind the genuine Azure ML inference server: the supervisor's child.

Started like the embedded endpoint's child (`epkit.bank.serve` tells how listener, lifeline and ready work), but its
log is kept, two keys open it, and one request at a time enters the script: Azure's own worker takes one, and scripts
count on it.
"""

import importlib
import importlib.metadata
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final

from epkit.bank.serve import EndpointServer, Wsgi, gate, read_line

FINISH_S: Final = 86_400
"""For requests in flight: it is the supervisor that decides when a server has had enough time to end."""


def main() -> None:
    """Serve until the lifeline ends."""
    serve(LocalServer)


def serve(kind: "type[LocalServer]") -> None:
    """Serve, as the supervisor says on the command line and through the lifeline, until that ends."""
    listener, lifeline, ready = (int(argument) for argument in sys.argv[1:])
    keys = read_line(lifeline).split()
    if keys:  # else the supervisor is gone already
        kind(listener=listener, lifeline=lifeline, ready=ready, keys=keys).run()


class LocalServer(EndpointServer):
    """The server of a user's own script."""

    def load_config(self) -> None:
        """Let requests in flight end before the server does."""
        super().load_config()
        self.cfg.set("graceful_timeout", FINISH_S)

    def load(self) -> Wsgi:
        """Return the genuine server behind the gate; the worker calls this."""
        version = importlib.metadata.version("azureml-inference-server-http")
        os.environ["HTTP_X_MS_SERVER_VERSION"] = f"azmlinfsrv/{version}"
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the script's modules, as at Azure
        entry = importlib.import_module("azureml_inference_server_http.server.entry")
        return gate(one_at_a_time(entry.app), *self.keys)

    def _initialised(self, _worker: Any) -> None:
        os.write(self.ready, b"+")


def one_at_a_time(app: Wsgi) -> Wsgi:
    """Let one scoring request at a time enter; health and contract are not held up."""
    turn = threading.Lock()

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/score":
            return app(environ, start_response)
        with turn:
            return app(environ, start_response)

    return guarded


if __name__ == "__main__":
    main()
