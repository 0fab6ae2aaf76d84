"""JupyterLab on a free loopback port; it ends with its test, and uses a directory of its own."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60
QUIET = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    # Every output is in the page, even outside of the visible part.
    "notebook-extension/tracker": {"windowingMode": "none"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A running server.

    Args:
        root: directory of the notebooks.
    """

    port: int
    token: str
    root: Path
    home: Path

    def url(self, notebook: str) -> str:
        """Return the address of a notebook in a single-document page."""
        return f"http://127.0.0.1:{self.port}/doc/tree/{notebook}?token={self.token}"

    def use_theme(self, name: str) -> None:
        """Set the theme of pages that are opened later: `JupyterLab Light`, `JupyterLab Dark`."""
        _set(self.home, "apputils-extension/themes", {"theme": name})


def environment(home: Path) -> dict[str, str]:
    """Return an environment in which Jupyter, kernels and epkit store their data in *home*."""
    kept = {
        name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    more = {"HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings")}
    gone = {"XDG_STATE_HOME", "XDG_CONFIG_HOME", "EPKIT_TARGET", "EPKIT_KEY"}
    return {name: value for name, value in os.environ.items() if name not in gone} | kept | more | {"PATH": path}


@contextlib.contextmanager
def jupyter_lab(root: Path, home: Path) -> Iterator[Lab]:
    """Start JupyterLab, and end it with its kernels."""
    for name, settings in QUIET.items():
        _set(home, name, settings)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    flags = [
        "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0", f"--ServerApp.root_dir={root}", f"--IdentityProvider.token={token}",
    ]  # fmt: skip
    with (home / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *flags],
            env=environment(home), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            _wait(process, port, token, home / "lab.log")
            yield Lab(port=port, token=token, root=root, home=home)
        finally:
            process.send_signal(signal.SIGTERM)  # this also ends the kernels
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, token: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/status", headers={"Authorization": f"token {token}"})
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(request, timeout=5):
            return
        time.sleep(0.1)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


def _set(home: Path, name: str, settings: dict[str, object]) -> None:
    file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings))
