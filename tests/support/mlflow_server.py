"""MLflow's own scoring server on loopback, with a model that tells rows apart.

It wants pandas below 3, and so an environment of its own: `nox -s mlflow`.
"""

import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Self

import pytest

MAKE = """
import sys
import mlflow
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema


class Names(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if "bad" in set(model_input["name"]):
            raise ValueError("there is a bad row")
        return [f"p{row.id}-{row.name}" for row in model_input.itertuples(index=False)]


columns = [ColSpec("long", "id"), ColSpec("double", "size"), ColSpec("string", "name")]
signature = ModelSignature(Schema(columns), Schema([ColSpec("string")]))
mlflow.pyfunc.save_model(sys.argv[1], python_model=Names(), signature=signature)
"""


def require() -> None:
    """Skip the calling test where MLflow is not installed."""
    for name in ("mlflow", "uvicorn"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"needs {name}: nox -s mlflow")


class MlflowServer:
    """The server; a context manager."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}
        made = subprocess.run(
            [sys.executable, "-c", MAKE, "model"],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(made.stderr[-2000:])
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/invocations"
        command = [sys.executable, "-m", "uvicorn", "mlflow.pyfunc.scoring_server.app:app"]
        self._process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--log-level", "critical"],
            env=environment | {"__pyfunc_model_path__": str(folder / "model")},
            cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(self.url.replace("invocations", "ping"), timeout=5):
                    return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    raise RuntimeError("MLflow's server did not come up") from None
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._folder.cleanup()
