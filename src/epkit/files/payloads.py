"""Request bodies from files and stdin, and the exact place where one is not JSON."""

import codecs
import json
import re
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

from epkit.core.contract.json_faults import fault
from epkit.core.http.payload import Payload
from epkit.errors import UsageError

_STRING = r'"(?:[^"\\]|\\.)*"?'
_NESTING: Final = re.compile(rf"{_STRING}|(?P<open>[\[{{])|(?P<close>[\]}}])", re.DOTALL)
_NUMBER: Final = re.compile(rf"{_STRING}|(?P<digits>[0-9]{{1000,}})", re.DOTALL)
_HINTS: Final = (
    (re.compile("'"), "JSON writes text in double quotes"),
    (re.compile(r"//|/\*|#"), "JSON has no comments"),
    (re.compile("True|False|None"), "JSON writes true, false, null"),
)


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
    name = "stdin" if path == "-" else path
    try:
        body = stdin.read() if path == "-" else Path(path).read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise UsageError(f"{name}: is a directory, not a file") from None
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
    if not body:
        raise UsageError(f"{name}: empty: there is nothing to send")
    return Payload.of(name, body)


def parse_payload(payload: Payload) -> object:
    """Parse a payload as JSON.

    Raises:
        UsageError: it is none; the message begins with the place in the payload's file.
    """
    return parse_json(payload.body, payload.file, first_line=payload.line or 1)


def parse_json(body: bytes, name: str, *, first_line: int = 1) -> object:
    """Parse JSON as the genuine server does: NaN, Infinity and duplicate keys pass, and a byte order mark.

    Args:
        name: of the file, for the message.
        first_line: number of the line that the body begins on.

    Returns:
        What `json.loads` makes of it.

    Raises:
        UsageError: `NAME:LINE:COLUMN: not JSON: …`, both from 1, the column in characters.
    """
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in body[:2]:
        raise UsageError(f"{name}:{first_line}:1: not JSON: this is UTF-16 or binary; save it as UTF-8")
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start].decode("utf-8")
        _refuse(name, first_line, before, len(before), f"byte 0x{body[error.start]:02x} is not UTF-8")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        at = fault(error)
        _refuse(name, first_line, text, at.position, _words(at.words) + _hint(text, at.position))
    except RecursionError:
        depth, position = _deepest(text)
        _refuse(name, first_line, text, position, f"nested {depth} levels deep, more than servers read")
    except ValueError:
        # The interpreter's limit on the digits of an integer, which the genuine server runs into as well.
        digits = next(match for match in _NUMBER.finditer(text) if match["digits"])
        _refuse(
            name,
            first_line,
            text,
            digits.start(),
            f"a number of {len(digits['digits'])} digits, more than servers read",
        )


def _refuse(name: str, first_line: int, text: str, position: int, why: str) -> NoReturn:
    line = text.count("\n", 0, position) + first_line
    column = position - text.rfind("\n", 0, position)
    raise UsageError(f"{name}:{line}:{column}: not JSON: {why}") from None


def _words(message: str) -> str:
    return message[:1].lower() + message[1:].removesuffix(" at").removesuffix(" starting")


def _hint(text: str, position: int) -> str:
    if not text[position:].strip():
        return ": the text ends here"
    if text[position] in "]}" and text[:position].rstrip().endswith(","):
        return " (a comma before the closing bracket)"
    for pattern, hint in _HINTS:
        if pattern.match(text, position):
            return f" ({hint})"
    return ""


def _deepest(text: str) -> tuple[int, int]:
    depth, deepest, position = 0, 0, 0
    for match in _NESTING.finditer(text):
        if match["open"]:
            depth += 1
            if depth > deepest:
                deepest, position = depth, match.start()
        elif match["close"]:
            depth -= 1
    return deepest, position
