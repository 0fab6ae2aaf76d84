"""The files that a command writes in addition to its standard output."""

import os
from pathlib import Path

from epkit.errors import UsageError, unwritable
from epkit.files.writing import replacing

TABLES = (".csv", ".parquet")
"""Suffixes that a table of samples may have."""


def check_writable(path: str | None, flag: str) -> None:
    """Check, before a run starts, that a file can be written. Otherwise the result of the run would be lost.

    Args:
        path: None if no file is requested.

    Raises:
        UsageError: the directory is missing, the path is a directory, or permission is denied.
    """
    if path is None:
        return
    target = Path(path)
    try:
        if target.is_dir():
            raise UsageError(f"{flag} {path} is a directory")
        if not target.parent.is_dir():
            raise UsageError(f"{flag} {path}: there is no directory {target.parent}")
        existing = target if target.exists() else target.parent
    except OSError as error:
        raise unwritable(f"{flag} {path}", error) from None
    if not os.access(existing, os.W_OK):
        raise UsageError(f"{flag} {path}: permission denied")


def check_table(path: str) -> None:
    """Refuse a table of samples of an unknown format.

    Raises:
        UsageError: the file is neither CSV nor Parquet.
    """
    if Path(path).suffix.lower() not in TABLES:
        raise UsageError(f"--samples {path}: not one of {', '.join(TABLES)}")


def check_directory(path: str, flag: str) -> None:
    """Check that files can be written to a directory; create the directory if it is missing.

    Raises:
        UsageError: the path is not a directory, or permission is denied.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{flag} {path} is not a directory") from None
    except OSError as error:
        raise unwritable(f"{flag} {path}", error) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"{flag} {path}: permission denied")


def check_reports(*, html: str | None, junit: str | None) -> None:
    """Check, before a long command starts, that its reports can be written.

    Raises:
        UsageError: a report cannot be written.
    """
    for flag, path in (("--html", html), ("--junit", junit)):
        check_writable(path, flag)


def write(path: str, text: str, flag: str) -> None:
    """Write a file, completely or not at all.

    Raises:
        UsageError: it cannot be written (disk full, permission); the old contents stay.
    """
    try:
        with replacing(path) as file:
            file.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise unwritable(f"{flag} {path}", error) from None


def append(path: str, text: str, flag: str) -> None:
    """Append text to a file; create the file if it is missing.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        with Path(path).open("ab") as file:
            file.write(text.encode("utf-8", "replace"))
    except OSError as error:
        raise unwritable(f"{flag} {path}", error) from None


def create(path: Path, text: str, name: str) -> None:
    """Write a new file, completely or not at all; an existing file is not changed.

    Args:
        name: name of the file in messages.

    Raises:
        UsageError: the file exists already, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        raise UsageError(f"{name} exists already and is not overwritten: edit it, or move it away") from None
    except OSError as error:
        raise unwritable(f"{name}: cannot be written", error) from None
