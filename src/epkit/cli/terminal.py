"""The output of all commands: results on stdout, everything else on stderr, in lines that are safe for a terminal."""

import io
import os
import shutil
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, BinaryIO, Final, Self, TypeVar

import typer

from epkit.cli.build_server import defused
from epkit.errors import UsageError

if TYPE_CHECKING:
    from epkit.core.http.secret import Secret
    from epkit.flows.context import Context

LINE_CHARACTERS: Final = 4000

Value = TypeVar("Value")

SECRETS: "Final[list[Secret]]" = []
"""Every credential that this process has met; masked in whatever leaves it, bugs' tracebacks included."""


def check_choice(flag: str, value: str, known: Iterable[str]) -> None:
    """Refuse a value that is none of those that a flag takes.

    Raises:
        UsageError: it is not; which are, and which was probably meant.
    """
    if value not in known:
        from epkit.core.near import not_one_of

        raise not_one_of(flag, value, known)


def fill_descriptors() -> None:
    """Open closed stdin, stdout and stderr: a socket that gets descriptor 0, 1 or 2 makes libuv abort."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


def context() -> "Context":
    """Return what a flow knows of this process; its notes go to stderr."""
    from epkit.flows.context import Context

    somebody = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    return Context(note=note, secrets=SECRETS, ask=_ask if somebody else None)


def _ask(prompt: str) -> str:
    from getpass import getpass

    return getpass(prompt)


def know(arguments: "Iterable[str]") -> None:
    """Have EPKIT_KEY and the credentials of URLs on the command line masked, before anything is made of them."""
    key = os.environ.get("EPKIT_KEY", "").strip()
    urls = [f"//{rest}" for _, is_url, rest in (text.partition("://") for text in arguments) if is_url]
    if not (key or urls):
        return  # help is not kept waiting for imports
    from epkit.core.http.masking import url_secrets
    from epkit.core.http.secret import Secret

    SECRETS.extend([Secret(key)] if key else ())
    SECRETS.extend(secret for url in urls for secret in url_secrets(url))


def masked(value: Value) -> Value:
    """Return what a command found without credentials in it, before it is rendered in whatever format."""
    if not SECRETS:
        return value
    from epkit.core.http.masking import mask_values

    return mask_values(value, SECRETS)


def complain(message: str) -> None:
    """Print one line on stderr, the program's name before it."""
    from epkit.core.http.masking import clean

    _to_stderr(f"epkit: {clean(masked(message), LINE_CHARACTERS)}\n")


note = complain
"""The same line where nothing is wrong, for what a user should know."""


def say(text: str) -> None:
    """Print lines on stderr; the caller has cleaned them."""
    _to_stderr(f"{text}\n")


def upload_summary(path: str) -> None:
    """Say where the summary is to Azure DevOps, which reads both streams: the only command that is printed."""
    _to_stderr(f"##vso[task.uploadsummary]{path}\n", command=True)


def _to_stderr(text: str, *, command: bool = False) -> None:
    if sys.stderr is None:  # closed before we began
        return
    try:
        sys.stderr.write(text if command else defused(masked(text)))
        sys.stderr.flush()
    except OSError:
        # Nobody reads notes any more; the work goes on.
        _silence(sys.stderr.fileno())


def write(text: str, *, reveal: bool = False) -> None:
    """Print a result on stdout.

    Args:
        reveal: the user asked for a secret.

    Raises:
        BrokenPipeError: the reader is gone; `broken_pipe` says so.
        UsageError: stdout is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise UsageError("stdout is closed: the result cannot be written")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for what an old encoding cannot write
    try:
        sys.stdout.write(defused(text if reveal else _document(text)))
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence(sys.stdout.fileno())
        raise UsageError(f"stdout: {error.strerror}") from None


def write_file(path: str, text: str, flag: str) -> None:
    """Write a result into a file.

    Raises:
        UsageError: it cannot be written (disk full, permission).
    """
    from epkit.files import outputs

    outputs.write(path, _document(text), flag)


def append_file(path: str, text: str, flag: str) -> None:
    """Write a result at the end of a file.

    Raises:
        UsageError: it cannot be written (disk full, permission).
    """
    from epkit.files import outputs

    outputs.append(path, _document(text), flag)


def _document(text: str) -> str:
    """Return a rendered text without any secret that is too distinct to be a part of the document itself.

    The net below `masked`: the values were masked before the text was rendered.
    """
    if not SECRETS:
        return text
    from epkit.core.http.masking import mask_text

    return mask_text(text, SECRETS, distinct=True)


def write_verdict(text: str) -> None:
    """Print what a command with a verdict found; a reader that is gone changes nothing about the verdict.

    Raises:
        UsageError: as `write`.
    """
    try:
        write(text)
    except BrokenPipeError:
        broken_pipe()  # from here on stdout leads nowhere


def stdin() -> BinaryIO:
    """Return stdin's bytes; none where it is closed."""
    return io.BytesIO() if sys.stdin is None else sys.stdin.buffer


def broken_pipe(code: int = 0) -> int:
    """Say that the reader of stdout went away, and keep the interpreter from saying it again at its end.

    Args:
        code: what the command would have ended with.
    """
    _silence(sys.stdout.fileno())
    complain("stdout was closed before everything was written")
    return code


def _silence(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def show_version(value: bool) -> None:
    """Print the version and end, where the flag is given."""
    if value:
        from epkit import __version__

        write(f"epkit {__version__}\n")
        raise typer.Exit


class StatusLine:
    """A line on a terminal that is written over and over; nothing in a pipe. `active` tells whether it shows."""

    def __init__(self, *, quiet: bool) -> None:
        self.active = sys.stderr is not None and sys.stderr.isatty() and not quiet
        self._width = 0

    def show(self, text: str) -> None:
        """Show a text in place of the last one."""
        if self.active:
            text = masked(text)[: shutil.get_terminal_size().columns - 1]
            _to_stderr(f"\r{text:<{self._width}}")
            self._width = len(text)

    def clear(self) -> None:
        """Take the line away, so that what follows begins on a clean one."""
        if self._width:
            _to_stderr(f"\r{'':<{self._width}}\r")
            self._width = 0


class ProgressLine:
    """How far a run is, on a line of its own. A context manager that clears it."""

    def __init__(self, total: int | None, *, quiet: bool) -> None:
        self._line = StatusLine(quiet=quiet)
        self._total = total
        self.live = None  # a line shows only what it is given

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.clear()

    def show(self, done: int, failed: int) -> None:
        """Show how far a run is."""
        of = f" of {self._total:,}" if self._total else ""
        self._line.show(f"{done:,}{of} requests" + (f", {failed:,} failed" if failed else ""))


def local_zone() -> tzinfo:
    """Return this machine's time zone, in which ab writes its files."""
    zone = datetime.now(UTC).astimezone().tzinfo
    assert zone is not None
    return zone
