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
"""Every credential that this process has seen; it is masked in all output, including tracebacks of bugs."""


def check_choice(flag: str, value: str, known: Iterable[str]) -> None:
    """Refuse a value that is not one of the choices of a flag.

    Raises:
        UsageError: it is not; the message lists the choices and the one that was probably meant.
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
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def context() -> "Context":
    """Create the context of a flow in this process; its notes go to stderr."""
    from epkit.flows.context import Context

    somebody = all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
    return Context(note=note, secrets=SECRETS, ask=_ask if somebody else None)


def _ask(prompt: str) -> str:
    from getpass import getpass

    return getpass(prompt)


def know(arguments: "Iterable[str]") -> None:
    """Mask EPKIT_KEY and the credentials of URLs on the command line, before any code uses them."""
    key = os.environ.get("EPKIT_KEY", "").strip()
    urls = [f"//{rest}" for _, is_url, rest in (text.partition("://") for text in arguments) if is_url]
    if not (key or urls):
        return  # so that help needs no imports
    from epkit.core.http.masking import url_secrets
    from epkit.core.http.secret import Secret

    SECRETS.extend([Secret(key)] if key else ())
    SECRETS.extend(secret for url in urls for secret in url_secrets(url))


def masked(value: Value) -> Value:
    """Return a command's result without credentials; call this before the result is rendered in any format."""
    if not SECRETS:
        return value
    from epkit.core.http.masking import mask_values

    return mask_values(value, SECRETS)


def complain(message: str) -> None:
    """Print one line on stderr, after the program's name."""
    from epkit.core.http.masking import clean

    _to_stderr(f"epkit: {clean(masked(message), LINE_CHARACTERS)}\n")


note = complain
"""The same line for information that is not an error."""


def say(text: str) -> None:
    """Print lines on stderr; the caller has masked and cleaned them."""
    _to_stderr(f"{text}\n")


def upload_summary(path: str) -> None:
    """Give Azure DevOps the path of the summary; it reads both streams. No other command is ever printed."""
    _to_stderr(f"##vso[task.uploadsummary]{path}\n", command=True)


def _to_stderr(text: str, *, command: bool = False) -> None:
    if sys.stderr is None:  # it was closed before this process started
        return
    try:
        sys.stderr.write(text if command else defused(masked(text)))
        sys.stderr.flush()
    except OSError:
        # Nobody reads the notes any more, but the work goes on.
        _silence(sys.stderr.fileno())


def write(text: str, *, reveal: bool = False) -> None:
    """Print a result on stdout.

    Args:
        reveal: whether the user asked for a secret.

    Raises:
        BrokenPipeError: the reader is gone; `broken_pipe` reports it.
        UsageError: stdout is closed, or its disk is full.
    """
    if sys.stdout is None:
        raise UsageError("stdout is closed: the result cannot be written")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for characters that an old encoding cannot write
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
        UsageError: the file cannot be written (disk full, permission).
    """
    from epkit.files import outputs

    outputs.write(path, _document(text), flag)


def append_file(path: str, text: str, flag: str) -> None:
    """Append a result to a file.

    Raises:
        UsageError: the file cannot be written (disk full, permission).
    """
    from epkit.files import outputs

    outputs.append(path, _document(text), flag)


def _document(text: str) -> str:
    """Mask the secrets in a rendered text, except those that could also be a part of the document itself.

    This is the second protection after `masked`, which masks the values before they are rendered.
    """
    if not SECRETS:
        return text
    from epkit.core.http.masking import mask_text

    return mask_text(text, SECRETS, distinct=True)


def write_verdict(text: str) -> None:
    """Print the result of a command with a verdict. If the reader is gone, the verdict stays the same.

    Raises:
        UsageError: as in `write`.
    """
    try:
        write(text)
    except BrokenPipeError:
        broken_pipe()  # from here on, stdout is discarded


def stdin() -> BinaryIO:
    """Return the bytes of stdin; empty if it is closed."""
    return io.BytesIO() if sys.stdin is None else sys.stdin.buffer


def broken_pipe(code: int = 0) -> int:
    """Report that the reader of stdout is gone, and prevent a second report by the interpreter at its end.

    Args:
        code: the exit code of the command, which is returned.
    """
    _silence(sys.stdout.fileno())
    complain("stdout was closed before everything was written")
    return code


def _silence(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)


def show_version(value: bool) -> None:
    """Print the version and exit, if the flag is given."""
    if value:
        write_version()
        raise typer.Exit


def write_version(*, verbose: bool = False) -> None:
    """Print the version.

    Args:
        verbose: whether to add Python, the system and the engine.

    Raises:
        UsageError: EPKIT_ENGINE is wrong.
    """
    from epkit import __version__

    lines = [f"epkit {__version__}"]
    if verbose:
        import platform

        from epkit.engines.wire.lanes import engine_line

        lines += [
            f"Python {platform.python_version()} ({platform.python_implementation()})",
            f"{platform.system()} {platform.machine()}",
            f"engine: {engine_line()}",
        ]
    write("\n".join([*lines, ""]))


class StatusLine:
    """A line on a terminal that is overwritten again and again; nothing in a pipe. `active`: whether it is shown."""

    def __init__(self, *, quiet: bool) -> None:
        self.active = sys.stderr is not None and sys.stderr.isatty() and not quiet
        self._width = 0

    def show(self, text: str) -> None:
        """Replace the text of the line."""
        if self.active:
            text = masked(text)[: shutil.get_terminal_size().columns - 1]
            _to_stderr(f"\r{text:<{self._width}}")
            self._width = len(text)

    def clear(self) -> None:
        """Clear the line, so that the next output starts on an empty line."""
        if self._width:
            _to_stderr(f"\r{'':<{self._width}}\r")
            self._width = 0


class ProgressLine:
    """Shows the progress of a run on one line. A context manager that clears the line."""

    def __init__(self, total: int | None, *, quiet: bool) -> None:
        self._line = StatusLine(quiet=quiet)
        self._total = total
        self.live = None  # a line shows only the counts that it gets

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.clear()

    def show(self, done: int, failed: int) -> None:
        """Show the progress of a run."""
        of = f" of {self._total:,}" if self._total else ""
        self._line.show(f"{done:,}{of} requests" + (f", {failed:,} failed" if failed else ""))


def local_zone() -> tzinfo:
    """Return this machine's time zone, in which ab writes its files."""
    zone = datetime.now(UTC).astimezone().tzinfo
    assert zone is not None
    return zone
