"""Converts text of other encodings and line ends to a UTF-8 file before it is read: rows are read more than once."""

import codecs
import io
from pathlib import Path
from typing import BinaryIO, Final

from epkit.core.http.masking import clean
from epkit.errors import UsageError, unwritable
from epkit.files.unpacking import MOST_BYTES

PIECE_BYTES: Final = 1 << 20
SEEN_BYTES: Final = 1 << 16
_MARKS: Final = (
    (codecs.BOM_UTF8, None),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer ones first; a UTF-8 file is read unchanged."""

_NOT_OF_FILES: Final = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined")

_LIKELY: Final = ("cp1252", "latin-1")
"""Probable encodings of a text that is not UTF-8; the second has a character for every byte."""


def encoding_of(head: bytes) -> str | None:
    """Return the encoding of a text by its byte order mark, or by its zero bytes; None for UTF-8 or an unclear case."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    pairs = len(head) // 2
    if pairs:
        even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
        for most, least, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
            # At least half of the characters are ASCII. UTF-16 adds a zero to each of them; other text has no zeros.
            if 2 * most >= pairs and not least:
                return name
    return None


def needs(path: Path, encoding: str | None) -> str | None:
    """Return the encoding from which a file must be converted to UTF-8 with line feeds.

    Args:
        encoding: the user's choice; None if there is none.

    Returns:
        The encoding; None if the file can be read unchanged.

    Raises:
        UsageError: Python has no text encoding of this name.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(SEEN_BYTES)
    if encoding is not None:
        known = _known(encoding)
        if known != "utf-8":
            return known
    elif (found := encoding_of(head)) is not None:
        return found
    return "utf-8-sig" if b"\r" in head.removesuffix(b"\r") and b"\n" not in head else None


def transcode(path: Path, into: BinaryIO, name: str, encoding: str, *, most_bytes: int = MOST_BYTES) -> None:
    """Write a text as UTF-8, with a line feed at the end of each line.

    Args:
        name: name of the file in messages.

    Raises:
        UsageError: the text is not in *encoding*, has more than *most_bytes*, or the disk is full.
        OSError: the file cannot be read.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    size, line, column, held = 0, 1, 1, ""
    with path.open("rb") as file:
        while True:
            piece = file.read(PIECE_BYTES)
            try:
                text = held + decoder.decode(piece, final=not piece)
            except UnicodeError as error:
                before = ""
                if isinstance(error, UnicodeDecodeError):
                    before = held + error.object[: error.start].decode(encoding, "replace")
                raise _undecodable(name, encoding, error, *_after(before, line, column)) from None
            held = text[-1:] if piece and text.endswith("\r") else ""
            text = text[: len(text) - len(held)].replace("\r\n", "\n").replace("\r", "\n")
            data = text.encode("utf-8", "replace")
            size += len(data)
            if size > most_bytes:
                raise UsageError(f"{name} has more than {most_bytes:,} bytes: save it as UTF-8 yourself")
            try:
                into.write(data)
            except OSError as error:
                raise unwritable(f"{name}: cannot be kept in TMPDIR", error) from None
            line, column = _after(text, line, column)
            if not piece:
                break
    try:
        into.flush()
    except OSError as error:
        raise unwritable(f"{name}: cannot be kept in TMPDIR", error) from None


def not_utf8(name: str, line: int, before: bytes, rest: bytes) -> UsageError:
    """Return the error for a byte that is not UTF-8, with the probable encoding of the text.

    Args:
        line: number of the line that contains the byte.
        before: the text before it in the line.
        rest: the byte, and the text after it.
    """
    likely = next((each for each in _LIKELY if _decodes(rest[:SEEN_BYTES], each)), _LIKELY[-1])
    column = len(before.decode("utf-8", "replace")) + 1
    shown = rest[:1].decode(likely, "replace")
    what = f' ("{shown}" in {likely})' if shown.isprintable() else ""
    advice = f"--encoding {likely} reads such a file, or save it as UTF-8"
    return UsageError(f"{name}:{line}:{column}: the byte 0x{rest[0]:02X}{what} is not UTF-8: {advice}")


def first_fault(text: bytes) -> int | None:
    """Return the place of the first byte that is not UTF-8, None if all are."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def _known(encoding: str) -> str:
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)  # refuses codecs that are not text encodings, such as zlib
        found = codecs.lookup(encoding).name
    except (LookupError, ValueError):
        found = ""
    if not found or found.replace("-", "_") in _NOT_OF_FILES:
        raise UsageError(
            f"--encoding {clean(encoding, 30)}: no encoding of text that Python knows: "
            "utf-8, utf-16, cp1252, latin-1, cp1250, gb18030, shift_jis, …"
        )
    return found


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _after(text: str, line: int, column: int) -> tuple[int, int]:
    """Return the line and column after a text that begins at a given line and column."""
    bare = text.replace("\r\n", "\n").replace("\r", "\n")
    breaks = bare.count("\n")
    return line + breaks, len(bare) - bare.rfind("\n") if breaks else column + len(bare)


def _undecodable(name: str, encoding: str, error: UnicodeError, line: int, column: int) -> UsageError:
    if isinstance(error, UnicodeDecodeError) and error.start < len(error.object):
        what = f"the byte 0x{error.object[error.start]:02X} is not {encoding}"
    else:
        what = f"this is not {encoding}"
    return UsageError(f"{name}:{line}:{column}: {what}: name the right --encoding, or save the file as UTF-8")
