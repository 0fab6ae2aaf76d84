"""Serves a user's script with the real Azure ML inference server; a child of the supervisor.

It is started like the embedded endpoint's child (`epkit.bank.serve` explains listener, lifeline and ready byte). There
are three differences: its log is kept, it accepts either of two keys, and only one request at a time runs the script.
Azure's own worker also runs one at a time, and scripts rely on it.
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
"""Time limit for requests in flight. It is large, because the supervisor decides when a server must end."""


def main() -> None:
    """Serve until the lifeline is closed."""
    serve(LocalServer)


def serve(kind: "type[LocalServer]") -> None:
    """Serve with the settings from the command line and the lifeline, until the lifeline is closed."""
    listener, lifeline, ready = (int(argument) for argument in sys.argv[1:])
    keys = read_line(lifeline).split()
    if keys:  # otherwise the supervisor is already gone
        kind(listener=listener, lifeline=lifeline, ready=ready, keys=keys).run()


class LocalServer(EndpointServer):
    """The server of a user's own script."""

    def load_config(self) -> None:
        """Let requests in flight finish before the server ends."""
        super().load_config()
        self.cfg.set("graceful_timeout", FINISH_S)

    def load(self) -> Wsgi:
        """Return the inference server behind the check of keys. The worker calls this."""
        version = importlib.metadata.version("azureml-inference-server-http")
        os.environ["HTTP_X_MS_SERVER_VERSION"] = f"azmlinfsrv/{version}"
        sys.path.insert(0, os.getcwd())  # noqa: PTH109 - the script's modules, as at Azure
        entry = importlib.import_module("azureml_inference_server_http.server.entry")
        return gate(one_at_a_time(entry.app), *self.keys)

    def _initialised(self, _worker: Any) -> None:
        os.write(self.ready, b"+")


def one_at_a_time(app: Wsgi) -> Wsgi:
    """Let only one scoring request at a time run; health and contract do not wait."""
    turn = threading.Lock()

    def guarded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/score":
            return app(environ, start_response)
        with turn:
            return app(environ, start_response)

    return guarded


if __name__ == "__main__":
    main()
