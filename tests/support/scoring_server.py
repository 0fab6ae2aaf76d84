"""The genuine inference server on loopback: one process for each scoring script, during a test module."""

import contextlib
import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from epkit.core.http import url
from epkit.endpoint.embedded import start

SCRIPTS = Path(__file__).parent / "scoring"
NEEDED = ("azureml_inference_server_http", "inference_schema", "pandas", "gunicorn")


def require() -> None:
    """Skip the calling test if the genuine server or a package of its scripts is not installed."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}")


class Served:
    """A server that returns its contract and scores rows, over one connection."""

    headers: Mapping[str, str] = MappingProxyType({"Content-Type": "application/json"})
    connection: http.client.HTTPConnection

    def contract(self, version: int = 2) -> dict[str, Any]:
        """Return the contract that the server generated."""
        self.connection.request("GET", f"/swagger.json?version={version}", headers=dict(self.headers))
        document: dict[str, Any] = json.loads(self.connection.getresponse().read())
        return document

    def score(self, body: bytes) -> tuple[int, Any]:
        """Send a body; return status and reply. A doubly encoded reply is decoded."""
        self.connection.request("POST", "/score", body, dict(self.headers))
        reply = self.connection.getresponse()
        value = json.loads(reply.read() or b"null")
        try:
            return reply.status, json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return reply.status, value

    def close(self) -> None:
        """Stop the server."""
        raise NotImplementedError


class BankServer(Served):
    """epkit's own embedded endpoint."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        endpoint = self._stack.enter_context(start())
        self.headers = {**self.headers, "Authorization": f"Bearer {endpoint.key.reveal()}"}
        self.connection = http.client.HTTPConnection("127.0.0.1", url.parse(endpoint.uri).port, timeout=20)

    def close(self) -> None:
        """Stop the server."""
        self.connection.close()
        self._stack.close()


class ScoringServer(Served):
    """One scoring script behind the genuine server.

    Args:
        directory: directory of the script.
        one_at_a_time: serve one connection at a time, which is the server's default.
    """

    def __init__(self, script: str, *, directory: Path = SCRIPTS, one_at_a_time: bool = False) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        workers = ["-k", "sync"] if one_at_a_time else ["-k", "gthread", "--threads", "4"]
        command = [sys.executable, "-m", "gunicorn", *workers, "-w", "1"]
        command += ["-b", f"127.0.0.1:{self.port}", "--log-level", "critical"]
        from gunicorn.config import KNOWN_SETTINGS  # untyped, and used only here

        if any("--no-control-socket" in (setting.cli or ()) for setting in KNOWN_SETTINGS):
            command.append("--no-control-socket")
        self._folder = tempfile.TemporaryDirectory()
        environment = os.environ | {
            "AZUREML_ENTRY_SCRIPT": f"{script}.py",
            "AML_APP_ROOT": str(directory),
            "TMPDIR": self._folder.name,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        self._process = subprocess.Popen(
            [*command, "azureml_inference_server_http.server.entry:app"],
            env=environment,
            cwd=self._folder.name,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def wait(self, seconds: float = 40.0) -> "ScoringServer":
        """Wait until the server answers."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.connection.request("GET", "/")
                if self.connection.getresponse().read() == b"Healthy":
                    return self
            except OSError:
                self.connection.close()
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.close()
                raise RuntimeError("the inference server did not come up")
            time.sleep(0.1)

    def close(self) -> None:
        """Stop the server."""
        self.connection.close()
        self._process.terminate()
        self._process.wait(10)
        self._folder.cleanup()
