"""The embedded endpoint: the bank-marketing model with the inference server, started for a single command.

`epkit.bank.serve` is the child process. Its docstring explains how it notices that this process has ended.
"""

import contextlib
import importlib.util
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from epkit.core.http.secret import Secret
from epkit.errors import EndpointError, UsageError
from epkit.process import child_environment

_GRACE_S: Final = 3.0  # the child normally ends within some milliseconds; after this time it is killed
_TAIL_BYTES: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The embedded endpoint while it runs.

    Args:
        uri: where rows are scored.
        key: the key for `Authorization: Bearer`, a new one for each start.
        swagger: URL of the contract; it needs the key too.
    """

    uri: str
    key: Secret
    swagger: str


@contextlib.contextmanager
def start(*, timeout_s: float = 20.0) -> Iterator[Embedded]:
    """Start the embedded endpoint, and end it at the end of the block.

    No process and no file remains, however this process ends.

    Args:
        timeout_s: longest time until the server answers.

    Raises:
        UsageError: the extra `local` is not installed.
        EndpointError: the server does not start; the message ends with the last line of its output.
    """
    if sys.platform == "win32":
        raise UsageError("the embedded endpoint needs gunicorn, which Windows does not have: name a target")
    if importlib.util.find_spec("azureml_inference_server_http") is None:
        raise UsageError(
            'the embedded endpoint needs the Azure ML inference server: pip install "epkit[local]", or name a target'
        )
    key = Secret(secrets.token_urlsafe(24))
    with contextlib.ExitStack() as stack:
        try:
            origin = _launch(stack, key, timeout_s)
        except OSError as error:
            raise EndpointError(f"the embedded endpoint does not start: {error}") from error
        yield Embedded(uri=f"{origin}/score", key=key, swagger=f"{origin}/swagger.json")


def _launch(stack: contextlib.ExitStack, key: Secret, timeout_s: float) -> str:
    """Start the child, and return its origin when it answers; *stack* ends the child."""
    deadline = time.monotonic() + timeout_s
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it has no name, so no file remains
    lifeline_read, lifeline = _pipe(stack)
    ready, ready_write = _pipe(stack)
    lifeline.write(key.reveal().encode() + b"\n")
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
        passed = [listener.fileno(), lifeline_read.fileno(), ready_write.fileno()]
        process = subprocess.Popen(  # noqa: S603 - this interpreter, and a module of this package
            [sys.executable, "-P", "-m", "epkit.bank.serve", *map(str, passed)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=passed,
            start_new_session=True,  # Ctrl-C must only reach epkit, which ends the child at its own end
            env=_environment(),
        )
        stack.callback(_end, process, lifeline, ready)
    # Now only the child has its ends of the pipes and the socket, so its death is visible here and to clients.
    lifeline_read.close()
    ready_write.close()
    if not _readable(ready, deadline):
        raise EndpointError(f"the embedded endpoint did not answer within {timeout_s:g} s{_tail(log)}")
    if not ready.read(1):
        raise EndpointError(f"the embedded endpoint ended before it answered{_tail(log)}")
    return origin


def _environment() -> dict[str, str]:
    # The model is small: a pool of threads would cost more time than it saves.
    return child_environment() | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _pipe(stack: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    read, write = os.pipe()
    return stack.enter_context(os.fdopen(read, "rb", 0)), stack.enter_context(os.fdopen(write, "wb", 0))


def _readable(pipe: IO[bytes], deadline: float) -> bool:
    """Wait until *pipe* has data or its end to read; False if *deadline* comes first."""
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    return bool(poller.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _end(process: subprocess.Popen[bytes], lifeline: IO[bytes], ready: IO[bytes]) -> None:
    """Close the lifeline, and wait until all processes of the child have ended."""
    lifeline.close()
    deadline = time.monotonic() + _GRACE_S
    ended = False
    try:
        while not ended and _readable(ready, deadline):
            ended = not ready.read(1)
    finally:
        if not ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: IO[bytes]) -> str:
    size = os.fstat(log.fileno()).st_size
    tail = os.pread(log.fileno(), _TAIL_BYTES, max(0, size - _TAIL_BYTES)).decode("utf-8", "replace").strip()
    return f"; its last output:\n{tail}" if tail else "; its log is empty"
