"""Request bodies from files and stdin."""

from pathlib import Path
from typing import BinaryIO

from epkit.core.http.payload import Payload
from epkit.errors import UsageError, unreadable
from epkit.reading import CHECKED, PAYLOAD, FileBound, read_whole


def read_payloads(path: str, stdin: BinaryIO) -> tuple[Payload, ...]:
    """Read the bodies in a file: each line of a `.jsonl` that is not blank, otherwise the whole file.

    Args:
        path: path of the file; `-` is stdin.

    Raises:
        UsageError: see `read_payload`; a `.jsonl` with only blank lines counts as empty.
    """
    whole = read_payload(path, stdin)
    if not path.lower().endswith(".jsonl"):
        return (whole,)
    # A line ends with LF or CR LF; other separators may occur inside a JSON string.
    lines = enumerate(whole.body.split(b"\n"), 1)
    bodies = tuple(
        Payload.of(f"{path}:{number}", line.strip(b" \t\r"), line=number) for number, line in lines if line.strip()
    )
    if not bodies:
        raise UsageError(f"{path}: empty: there is no line to send")
    return bodies


def read_payload(path: str, stdin: BinaryIO) -> Payload:
    """Read a file as one body, without changing a byte.

    Args:
        path: path of the file; `-` is stdin.

    Raises:
        UsageError: the file does not exist, is a directory, is not readable, is empty, or is too large.
    """
    name, body = _read(path, stdin, PAYLOAD)
    if not body:
        raise UsageError(f"{name}: empty: there is nothing to send")
    return Payload.of(name, body)


def read_body(path: str, stdin: BinaryIO) -> bytes:
    """Read the text of a request or a reply that is checked but not sent; it may be empty.

    Args:
        path: path of the file; `-` is stdin.

    Raises:
        UsageError: the file does not exist, is a directory, is not readable, or is too large.
    """
    return _read(path, stdin, CHECKED)[1]


def _read(path: str, stdin: BinaryIO, bound: FileBound) -> tuple[str, bytes]:
    """Return the name of a file in messages, and its contents."""
    name = "stdin" if path == "-" else path
    try:
        return name, read_whole(stdin if path == "-" else Path(path), bound, name=name)
    except OSError as error:
        raise unreadable(name, error, "a file") from None
