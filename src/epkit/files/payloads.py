"""Request bodies from files and stdin."""

from pathlib import Path
from typing import BinaryIO, Final

from epkit.core.http.payload import Payload
from epkit.errors import UsageError, unreadable

MAX_BYTES: Final = 16 << 20
"""Of a body that is checked: ten times what Azure's endpoints take; tables may be as long as they like."""


def read_payloads(path: str, stdin: BinaryIO) -> tuple[Payload, ...]:
    """Read the bodies that a file holds: every line that is not blank of a `.jsonl`, else the whole file.

    Args:
        path: of the file; `-` is stdin.

    Raises:
        UsageError: as `read_payload`; a `.jsonl` with blank lines only counts as empty.
    """
    whole = read_payload(path, stdin)
    if not path.lower().endswith(".jsonl"):
        return (whole,)
    # A line ends in LF or CR LF; other separators may stand inside a JSON string.
    lines = enumerate(whole.body.split(b"\n"), 1)
    bodies = tuple(
        Payload.of(f"{path}:{number}", line.strip(b" \t\r"), line=number) for number, line in lines if line.strip()
    )
    if not bodies:
        raise UsageError(f"{path}: empty: there is no line to send")
    return bodies


def read_payload(path: str, stdin: BinaryIO) -> Payload:
    """Read a file as one body, byte by byte as it is.

    Args:
        path: of the file; `-` is stdin.

    Raises:
        UsageError: no such file, a directory, not readable, empty.
    """
    name, body = _read(path, stdin)
    if not body:
        raise UsageError(f"{name}: empty: there is nothing to send")
    return Payload.of(name, body)


def read_body(path: str, stdin: BinaryIO) -> bytes:
    """Read the text of a request or a reply that is checked and not sent; it may be empty.

    Args:
        path: of the file; `-` is stdin.

    Raises:
        UsageError: no such file, a directory, not readable, longer than `MAX_BYTES`.
    """
    name, body = _read(path, stdin, MAX_BYTES + 1)
    if len(body) > MAX_BYTES:
        advice = "which no endpoint takes: give the rows as .jsonl, .csv or .parquet"
        raise UsageError(f"{name}: longer than {MAX_BYTES >> 20} MB, {advice}")
    return body


def _read(path: str, stdin: BinaryIO, most_bytes: int = -1) -> tuple[str, bytes]:
    """Return what messages call a file, and what is in it."""
    name = "stdin" if path == "-" else path
    try:
        if path == "-":
            return name, stdin.read(most_bytes)
        with Path(path).open("rb") as file:
            return name, file.read(most_bytes)
    except OSError as error:
        raise unreadable(name, error, "a file") from None
