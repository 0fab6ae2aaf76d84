"""Opens files that the user names: downloads, decompresses and decodes them, and recognises their contents."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from epkit.core.http.masking import mask_url, url_secrets
from epkit.errors import UsageError, unwritable
from epkit.files import remote, transcoding, unpacking
from epkit.files.dialects import DEFAULT, TableOptions
from epkit.files.parquet import parts_of
from epkit.flows.context import Context

TABLES: Final = (".csv", ".parquet", ".jsonl")
SEPARATED: Final = {".tsv": ".csv", ".tab": ".csv"}
"""Other suffixes of tables with separated cells, and the kind of such a table."""

PARQUET: Final = b"PAR1"
SNIFFED: Final = 1 << 16
LONGEST_LINE: Final = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The user's input before a contract is known.

    Args:
        path: the path of a file; None if the rows are `values`.
        kind: `.csv`, `.parquet`, `.jsonl` or `.json`; empty for `values`.
        name: the name in messages.
        values: rows from Python: a polars frame, or a list.
        options: the user's options for tables.
    """

    name: str
    kind: str = ""
    path: Path | None = None
    values: Any = None
    options: TableOptions = DEFAULT


@contextlib.contextmanager
def spooled(
    file: str | None, stdin: BinaryIO, context: Context, options: TableOptions = DEFAULT
) -> Iterator[Given | None]:
    """Recognise a file. Standard input is first written to a temporary file.

    Args:
        file: the path of a file or of a directory of Parquet files, a URL, `-`, or None.
        options: the user's options for tables.

    Raises:
        UsageError: the file does not exist, or it is empty.
    """
    if file is None:
        yield None
        return
    with contextlib.ExitStack() as stack:
        if remote.is_remote(file):
            from epkit.files import fetching  # late: most files are local

            context.know(url_secrets(file))  # a store's error quotes the URL, including its signature
            try:
                directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="epkit-"))
            except OSError as error:
                raise unwritable(f"{mask_url(file)}: cannot be kept in TMPDIR", error) from None
            yield given_of(fetching.fetch(file, Path(directory)), mask_url(file), stack, options)
        elif file != "-":
            yield given_of(Path(file), file, stack, options)
        else:
            spool = _temporary(stack, "stdin: cannot be kept in TMPDIR")
            try:
                shutil.copyfileobj(stdin, spool, 1 << 20)
                spool.flush()
            except OSError as error:
                raise unwritable("stdin: cannot be kept in TMPDIR", error) from None
            path = Path(spool.name)
            if not path.stat().st_size:
                raise UsageError("stdin: empty: there is nothing to send")
            yield given_of(path, "stdin", stack, options)


def given_of(path: Path, name: str, stack: contextlib.ExitStack, options: TableOptions = DEFAULT) -> Given:
    """Recognise the kind of a file by its name, otherwise by its first bytes.

    A file that is compressed, not in UTF-8, or has other line ends is first converted into a temporary file.

    Args:
        stack: owns the temporary files.

    Raises:
        UsageError: the path is neither a file nor a directory of Parquet files, or it cannot be unpacked or decoded.
    """
    if path.is_dir():
        parts_of(path)
        return Given(name=name, path=path, kind=".parquet", options=options)
    if not path.is_file():
        raise UsageError(f"{name}: no such file")
    kind = path.suffix.lower()
    try:
        if unpacking.is_packed(path):
            whole = _temporary(stack, f"{name}: cannot be unpacked into TMPDIR")
            unpacking.unpack(path, whole, name)
            kind, path = Path(path.stem).suffix.lower(), Path(whole.name)
        if kind not in (".parquet", ".json") and not is_parquet(path):
            encoding = transcoding.needs(path, options.encoding)
            if encoding is not None:
                whole = _temporary(stack, f"{name}: cannot be kept in TMPDIR")
                transcoding.transcode(path, whole, name, encoding)
                path = Path(whole.name)
        kind = SEPARATED.get(kind, kind)
        return Given(name=name, path=path, kind=kind if kind in (*TABLES, ".json") else sniff(path), options=options)
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None


def _temporary(stack: contextlib.ExitStack, what: str) -> Any:
    try:
        return stack.enter_context(tempfile.NamedTemporaryFile(prefix="epkit-"))
    except OSError as error:
        raise unwritable(what, error) from None


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, judging by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def sniff(path: Path) -> str:
    """Return the kind of a file, judging by its first bytes."""
    with path.open("rb") as file:
        head = file.read(SNIFFED)
        if head.startswith(PARQUET):
            return ".parquet"
        text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not text.startswith((b"{", b"[")):
            return ".csv"
        if b"\n" not in text:
            text += file.readline(LONGEST_LINE) + file.read(SNIFFED)
    from epkit.core.shapes.bodies import find_rows  # late: most tables have a name that tells their kind

    first, _, rest = text.partition(b"\n")
    with contextlib.suppress(ValueError):
        value = json.loads(first)
        # A single line may be a whole body or a single row; in a body, rows can be found.
        if rest.strip() or (isinstance(value, dict) and find_rows(value) is None):
            return ".jsonl"
    return ".json"
