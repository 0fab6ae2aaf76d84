"""Runs the real command line, in this process or as another process, and searches all its outputs for the canary."""

import base64
import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from epkit.cli import app, terminal
from support.canary import CANARY

PATIENCE_S: Final = 45
"""Time limit of a command in seconds; less than the 60 s for which epkit waits for a reply."""

PIECE: Final = 8
"""Number of consecutive characters of the canary that must not occur anywhere."""

TWO_ROWS: Final = '{"data": [{"age": 17}, {"age": 87}]}'

# Variables that the shell of the tests' user may have set, and that no test intends.
FOREIGN: Final = (
    "EPKIT_",
    "GITHUB_",
    "TF_BUILD",
    "AGENT_TEMP",
    "OTEL_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_",
)


@cache
def validator() -> Any:
    """Return a validator with the published schema of the report."""
    return jsonschema_rs.Draft202012Validator(
        json.loads(files("epkit.core.report").joinpath("report.schema.json").read_bytes())
    )


def forms(secret: str) -> list[bytes]:
    """Return the forms in which a secret may occur: a piece of it, or its base64 after the tests' user names."""
    pieces = [secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1)]  # a cut may leave any of them
    alone = [*pieces, *(base64.b64encode(f"{user}{secret}".encode()).decode()[:-4] for user in ("", "user:", "proxy:"))]
    return [text.encode() for text in alone]


def assert_no_canary(data: bytes, where: str) -> None:
    for form in forms(CANARY):
        assert form not in data, f"the canary is in {where}: {data.decode(errors='replace')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The result of a command.

    Args:
        peak_kib: greatest memory of the command in KiB, if it was another process.
    """

    code: int
    out: str
    err: str
    peak_kib: int = 0

    @property
    def lines(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report on stdout, checked against the published schema."""
        document = json.loads(self.out)
        validator().validate(document)
        return document

    @property
    def failures(self) -> dict[str, int]:
        """The kinds of failure and their numbers, from the JSON report; the sums are checked."""
        counts = self.report["counts"]

        assert counts["sent"] == counts["ok"] + counts["failed"]
        assert counts["failed"] == sum(counts["failures"].values())
        return {kind: count for kind, count in counts["failures"].items() if count}


def complaint(ran: Ran, code: int) -> str:
    """Return the one line on stderr of a command that failed with *code*, without the program's name."""
    assert code == ran.code, ran.err
    assert 1 == len(ran.lines), ran.err
    assert ran.err.startswith("epkit: ")
    assert "Traceback" not in ran.err
    return ran.lines[0].removeprefix("epkit: ")


class _Interrupting(io.TextIOWrapper):
    """A stream that a run may write to; like the real one, it has a byte stream below."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    def taken(self) -> bytes:
        self.flush()
        return self.buffer.getvalue()  # type: ignore[attr-defined]


@dataclass(slots=True, kw_only=True)
class Cli:
    """`epkit` in a separate directory.

    Args:
        directory: the current directory of the command.
        environ: variables that are added to a clean environment.
        patience_s: time limit of a command in seconds.
    """

    directory: Path
    environ: dict[str, str] = field(default_factory=dict)
    patience_s: int = PATIENCE_S

    def write(self, name: str, text: str | bytes) -> str:
        """Write a file for the command; it may contain the canary."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return name

    def read(self, name: str) -> str:
        return (self.directory / name).read_bytes().decode()

    def __call__(self, *arguments: object, stdin: bytes = b"", run: Callable[[list[str]], int] | None = None) -> Ran:
        """Run a command in this process.

        Args:
            run: called with the arguments instead of the command line; returns an exit code.
        """
        before = self._files()
        out, err = _Interrupting(), _Interrupting()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.chdir(self.directory),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            _deadline(arguments, self.patience_s),
        ):
            for name in os.environ.keys() - self._environment().keys():
                patch.delenv(name)
            for name, value in self._environment().items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            patch.setattr(terminal, "SECRETS", [])
            code = (run or app.run)([str(argument) for argument in arguments])
        self._forget_modules()
        ran = Ran(code=code, out=out.taken().decode(), err=err.taken().decode())
        self._check(ran, before)
        return ran

    def _forget_modules(self) -> None:
        """Remove modules that a command imported from its directory: the next test has files with the same names."""
        own = f"{self.directory}{os.sep}"
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(own):
                del sys.modules[name]

    def spawn(self, *arguments: object, stdin: bytes = b"", prefix: Sequence[str] = ()) -> Ran:
        """Run a command as another process.

        Args:
            prefix: arguments before the interpreter's own arguments, such as `-X importtime`.
        """
        before = self._files()
        with self.start(*arguments, prefix=prefix) as process:
            out, err, peak = _communicate(process, stdin, self.patience_s)
        ran = Ran(code=process.returncode, out=out.decode(), err=err.decode(), peak_kib=peak)
        self._check(ran, before)
        return ran

    @contextlib.contextmanager
    def start(self, *arguments: object, prefix: Sequence[str] = (), **more: Any) -> Iterator[subprocess.Popen[bytes]]:
        """Start a command; the caller reads its pipes, and passes their content to `finished`."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more
        with subprocess.Popen(
            [sys.executable, *prefix, "-m", "epkit", *map(str, arguments)],
            cwd=self.directory,
            env=self._environment(),
            **pipes,
        ) as process:
            try:
                yield process
            finally:
                if process.returncode is None:
                    process.kill()

    def interrupted_twice(self, process: subprocess.Popen[bytes]) -> Ran:
        """Press Ctrl-C, check that a started command waits for requests in flight, and press it again."""
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None, "it waits for what is in flight"
        process.send_signal(signal.SIGINT)
        return self.finished(process)

    def finished(self, process: subprocess.Popen[bytes]) -> Ran:
        """Wait for a started command."""
        out, err, peak = _communicate(process, b"", self.patience_s)
        ran = Ran(code=process.returncode, out=out.decode(), err=err.decode(), peak_kib=peak)
        self._check(ran, None)
        return ran

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(FOREIGN)}
        return {**kept, "PYTHONWARNINGS": "error", **self.environ}

    def _files(self) -> Mapping[Path, bytes]:
        return {path: path.read_bytes() for path in self.directory.rglob("*") if path.is_file()}

    def _check(self, ran: Ran, before: Mapping[Path, bytes] | None) -> None:
        assert_no_canary(ran.out.encode(), "stdout")
        assert_no_canary(ran.err.encode(), "stderr")
        for path, data in self._files().items() if before is not None else ():
            if before is not None and before.get(path) != data:
                assert_no_canary(data, path.name)


def _communicate(process: subprocess.Popen[bytes], stdin: bytes, patience_s: int) -> tuple[bytes, bytes, int]:
    """Feed a process, read its output, wait for it, and return its greatest memory."""
    import threading

    read: dict[str, bytes] = {"stdout": b"", "stderr": b""}

    def drain(name: str) -> None:
        pipe = getattr(process, name)
        if pipe is not None:
            read[name] = pipe.read()

    readers = [threading.Thread(target=drain, args=(name,)) for name in read]
    for reader in readers:
        reader.start()
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(stdin)
            process.stdin.close()
    deadline = time.monotonic() + patience_s
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError(f"{process.args} hangs")
        time.sleep(0.005)
    process.returncode = os.waitstatus_to_exitcode(status)
    for reader in readers:
        reader.join(patience_s)
    return read["stdout"], read["stderr"], usage.ru_maxrss


@contextlib.contextmanager
def _deadline(arguments: Sequence[object], patience_s: int) -> Iterator[None]:
    """Raise an exception in this thread if a command takes too long."""

    def late(*_: object) -> None:
        # Not a TimeoutError: event loops treat an OSError as a problem of a connection.
        raise AssertionError(f"epkit {' '.join(map(str, arguments))} hangs")

    old = signal.signal(signal.SIGALRM, late)
    signal.alarm(patience_s)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
