"""Calls the two Azure SDKs: their output, logs and warnings are hidden, and their errors become one line."""

import contextlib
import importlib.util
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from epkit.backends.azure.workspace import Workspace
from epkit.backends.base import Say
from epkit.backends.copies import copy_tree
from epkit.core.hosting.azure_errors import reduce
from epkit.core.hosting.deployments import LoggedRequest, Order, Replacement, Script
from epkit.errors import BackendError, EpkitError, UsageError
from epkit.process import environment, silenced
from epkit.reading import CONDA, read_whole

CONDA_FILES: Final = ("conda.yml", "conda.yaml", "conda_env.yml", "environment.yml", "environment.yaml")
TAIL_LINES: Final = 30
LOGGERS: Final = ("azure", "azureml", "adal", "msal", "msrest", "urllib3")
"""Loggers that are silenced: those of the SDKs, and of the packages that they use."""


def require(module: str, extra: str, backend: str) -> None:
    """Refuse if an SDK is not installed.

    Raises:
        UsageError: the message names the extra.
    """
    for needed in (module, "azure.identity"):
        try:
            found = importlib.util.find_spec(needed)
        except ModuleNotFoundError:  # the parent package is missing too
            found = None
        if found is None:
            raise UsageError(f'the backend {backend} needs the extra {extra}: pip install "epkit[{extra}]"')


class WorkspaceBackend:
    """The common part of the backends of both SDKs."""

    def __init__(self, workspace: Workspace, credential: Callable[[], Any], say: Say) -> None:
        """Prepare the backend. Nothing is imported, nothing is sent.

        Args:
            credential: makes a credential of azure-identity.
            say: called with the SDK's output.
        """
        self.workspace = workspace
        self._credential = credential
        self._say = say

    def requests(self, name: str, *, tail: int, request_id: str | None = None) -> tuple[LoggedRequest, ...]:  # noqa: ARG002
        """Refuse: the SDK cannot read Application Insights."""
        query = "requests"
        if request_id is not None:
            query = f"\"requests | where tostring(customDimensions) contains '{request_id}'\""
        raise UsageError(
            f"{name}: the requests are in the workspace's Application Insights, which the SDK does not read: "
            f"az monitor app-insights query --analytics-query {query}"
        )


@contextlib.contextmanager
def calling(say: Say, subject: str) -> Iterator[Say]:
    """Call an SDK inside the `with` block.

    Args:
        say: called with the SDK's output on stdout; its output on stderr (bars, colours) is dropped.
        subject: object of the call, for messages.

    Yields:
        A function for lines to the user during the call.

    Raises:
        UsageError: there is no login.
        BackendError: the service refused; its code and message.
    """
    real = sys.stderr

    def aloud(line: str) -> None:
        with contextlib.redirect_stderr(real):
            say(line)

    with (
        environment({"TQDM_DISABLE": os.environ.get("TQDM_DISABLE", "1")}),
        silenced(*LOGGERS),
        contextlib.redirect_stdout(_Relay(aloud)),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        translating(subject),
    ):
        warnings.simplefilter("ignore")
        yield aloud


@contextlib.contextmanager
def translating(subject: str) -> Iterator[None]:
    """Call an SDK on its own thread, where stdout and stderr must not be redirected.

    Raises:
        UsageError, BackendError: as for `calling`.
    """
    try:
        yield
    except EpkitError:
        raise
    except Exception as error:  # noqa: BLE001 - SDKs raise what they like
        raise translated(error, subject) from None  # the cause may contain whole replies


def translated(error: BaseException, subject: str) -> EpkitError:
    """Return the error to raise in place of an SDK's exception."""
    refusal = reduce(error)
    if refusal.kind == "login":
        return UsageError(refusal.line)
    return BackendError(f"{subject}: {refusal.line}")


def is_missing(error: BaseException) -> bool:
    """Tell whether an SDK's exception means that something does not exist."""
    refusal = reduce(error)
    return refusal.status == 404 or "NotFound" in refusal.code


def conda_file(order: Order | Replacement) -> Path:
    """Return the conda file of an order: the named one, otherwise one next to the script or in the model's directory.

    Raises:
        UsageError: there is no conda file.
    """
    if order.environment is not None:
        return Path(order.environment)
    for folder in (order.model if order.script is None else order.script.code, order.model):
        for name in CONDA_FILES:
            path = Path(folder) / name
            if path.is_file():
                return path
    raise UsageError(
        f"--environment FILE: which packages does the script need? There is no {', '.join(CONDA_FILES)} next to it"
    )


@contextlib.contextmanager
def uploadable(script: Script) -> Iterator[str]:
    """Yield the directory of a script for upload: its own, or a directory with only the modules.

    The SDKs leave out files that `.amlignore` or `.gitignore` lists, if the whole directory is uploaded.

    Raises:
        UsageError: a module cannot be copied.
    """
    if script.selection != "modules":
        yield script.code
        return
    with tempfile.TemporaryDirectory(prefix="epkit-") as folder:
        modules = Path(folder) / "code"
        copy_tree(Path(script.code), modules, "modules")
        yield str(modules)


def warn_of_missing_server(conda: Path, packages: tuple[str, ...], say: Say) -> None:
    """Warn if a conda file has none of the packages that install the server in the container."""
    text = read_whole(conda, CONDA, name=str(conda)).decode("utf-8", "replace")
    if not any(package in text for package in packages):
        say(f"{conda}: it names no {' or '.join(packages)}: without the server nothing answers in the container")


def lines_of(content: Any, tail: int) -> tuple[str, ...]:
    """Return the last lines of a log."""
    return tuple(str(content or "").splitlines()[-tail:])


class _Relay(io.TextIOBase):
    """A stdout that passes on whole lines, without the dots of a progress display."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._line = ""

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            if line.strip(". \r"):
                self._say(line.strip())
        return len(text)
