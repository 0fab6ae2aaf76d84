"""Model servers of other projects, each in its own environment, which `nox -s servers` creates."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import pytest

from support.places import ROOT

APPS: Final = ROOT / "tests" / "servers" / "apps"
LOCKS: Final = ROOT / "tests" / "servers" / "locks"
PATIENCE_S: Final = 120
"""Time limit in seconds: MLflow's imports are slow on a busy machine, the first time more than later."""
QUIET: Final = {"BENTOML_DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Genuine:
    """A server that tests can start.

    Args:
        environment: name of its environment, its lock file, and the directory of its model.
        ready: path that answers 200 when the server is ready.
        script: arguments of `serve.py` after the port.
    """

    environment: str
    ready: str
    script: tuple[str, ...] = ()

    def interpreter(self) -> Path:
        """Return its Python; skip the calling test if its environment is missing."""
        made = os.environ.get("EPKIT_SERVERS", "")
        python = Path(made, self.environment, "bin", "python")
        if not made or not python.exists():
            pytest.skip(f"needs an environment with {self.environment}: nox -s servers")
        return python


AZURE = ("split", "values", "records", "index", "columns", "table", "lists")
SERVERS: Final[Mapping[str, Genuine]] = {
    "mlserver": Genuine(environment="mlserver", ready="/v2/health/ready"),
    "kserve": Genuine(environment="kserve", ready="/v2/health/ready"),
    "bentoml": Genuine(environment="bentoml", ready="/readyz"),
    "fastapi": Genuine(environment="fastapi", ready="/openapi.json"),
    "litserve": Genuine(environment="litserve", ready="/health"),
    "mlflow": Genuine(environment="mlflow", ready="/ping"),
    **{f"azure-{name}": Genuine(environment="azure", ready="/", script=(name,)) for name in AZURE},
}


class Running:
    """A server on loopback; a context manager."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._server = SERVERS[name]

    def __enter__(self) -> Self:
        python = self._server.interpreter()
        self._folder = tempfile.TemporaryDirectory()
        app, home = Path(self._folder.name, "app"), Path(self._folder.name, "home")
        shutil.copytree(APPS / self._server.environment, app)
        home.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self._log = (home / "log").open("w+b")
        self._process = subprocess.Popen(
            [python, "serve.py", str(self.port), *self._server.script],
            cwd=app,
            env={"PATH": f"{python.parent}:/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home), **QUIET},
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,  # some servers have child processes, which end with them
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                said = self._log.read()[-3000:].decode(errors="replace")
                self.__exit__()
                raise RuntimeError(f"{self.name} did not come up:\n{said}")
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._signal(signal.SIGKILL)
        self._process.wait(10)
        self._log.close()
        self._folder.cleanup()

    def _signal(self, what: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, what)

    def _is_up(self) -> bool:
        try:
            return self.ask("GET", self._server.ready)[0] == 200
        except OSError:
            return False

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Send a request over a new connection; return status and reply."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
            reply = connection.getresponse()
            return reply.status, reply.read()

    def takes(self, path: str, body: Any) -> bool:
        """Return whether it answers a body with 200."""
        return self.ask("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode())[0] == 200
