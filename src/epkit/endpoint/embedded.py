"""The embedded endpoint: the bank-marketing model with the inference server, started for a single command.

`epkit.bank.serve` is the other half, and tells how the child notices that this process is gone.
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

_GRACE_S: Final = 3.0  # the child ends within some milliseconds; then it is killed
_TAIL_BYTES: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The embedded endpoint while it runs.

    Args:
        uri: where rows are scored.
        key: what `Authorization: Bearer` wants; a new one each time.
        swagger: the contract; wants the key, too.
    """

    uri: str
    key: Secret
    swagger: str


@contextlib.contextmanager
def start(*, timeout_s: float = 20.0) -> Iterator[Embedded]:
    """Start the embedded endpoint, and end it with the block.

    No process and no file stays behind, however this process ends.

    Args:
        timeout_s: how long the server may take to answer.

    Raises:
        UsageError: the extra `local` is not installed.
        EndpointError: the server does not come up; the message ends with its own last words.
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
    """Start the child, leave its end to *stack*, return the origin once it answers."""
    deadline = time.monotonic() + timeout_s
    log = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - nameless: nothing can stay behind
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
            start_new_session=True,  # Ctrl-C is for epkit, which ends the child when it is done
            env=_environment(),
        )
        stack.callback(_end, process, lifeline, ready)
    # The child's ends are the child's alone now: its death must show, here and to a client.
    lifeline_read.close()
    ready_write.close()
    if not _readable(ready, deadline):
        raise EndpointError(f"the embedded endpoint did not answer within {timeout_s:g} s{_tail(log)}")
    if not ready.read(1):
        raise EndpointError(f"the embedded endpoint ended before it answered{_tail(log)}")
    return origin


def _environment() -> dict[str, str]:
    # The model is small: a pool of threads would cost more than it gives.
    return child_environment() | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _pipe(stack: contextlib.ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    read, write = os.pipe()
    return stack.enter_context(os.fdopen(read, "rb", 0)), stack.enter_context(os.fdopen(write, "wb", 0))


def _readable(pipe: IO[bytes], deadline: float) -> bool:
    """Wait until *pipe* has something to read, be it its end; False where *deadline* comes first."""
    poller = select.poll()
    poller.register(pipe, select.POLLIN)
    return bool(poller.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _end(process: subprocess.Popen[bytes], lifeline: IO[bytes], ready: IO[bytes]) -> None:
    """Let go of the child and wait until none of its processes is left."""
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
