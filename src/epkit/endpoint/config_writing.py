"""Writes endpoints and pipelines into `epkit.toml` and removes entries; everything else in it stays unchanged."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable

from epkit.endpoint.config import FILENAME, Config, parse_config
from epkit.errors import UsageError, unwritable

Room = Literal["endpoints", "published"]
"""The tables that contain entries by name."""


def place(config: Config | None, cwd: Path) -> Path:
    """Return the file to write: that of this project, otherwise a new one in *cwd*."""
    return cwd / FILENAME if config is None or config.outside else config.path


def write_entry(path: Path, name: str, entry: Mapping[str, str | None], room: Room = "endpoints") -> None:
    """Write an entry, or change the entry with this name.

    Args:
        entry: values by key, in the order in which a new entry is written; None removes a key.

    Raises:
        UsageError: the file cannot be read or written, or would not be valid afterwards.
    """
    document = _read(path)
    tables = document.setdefault(room, tomlkit.table(is_super_table=True))
    table = tables.get(name)
    if table is None:
        table = tables[name] = tomlkit.table()
    for key, value in entry.items():
        if value is not None:
            table[key] = value
        elif key in table:
            del table[key]
    _write(path, document)


def remove_entry(path: Path, name: str, room: Room = "endpoints") -> None:
    """Remove an entry, and the default if it is this endpoint.

    Raises:
        UsageError: the file cannot be read or written.
    """
    document = _read(path)
    tables = document.get(room, {})
    if name not in tables:
        return
    del tables[name]
    if not tables:
        del document[room]
    if room == "endpoints" and document.get("default") == name:
        del document["default"]
    _write(path, document)


def add_table(path: Path, text: str) -> None:
    """Add a table with comments at the end.

    Args:
        text: TOML that begins with the table's header.

    Raises:
        UsageError: the file cannot be read or written, or would not be valid afterwards.
    """
    before = tomlkit.dumps(_read(path)).rstrip("\n")
    _write_text(path, f"{before}\n\n{text}" if before else text)


def home_relative(path: Path, environ: Mapping[str, str]) -> str:
    """Return a path in the form for a file: it begins with `~` if it is below the home directory."""
    home = Path(environ.get("HOME", ""))
    if home.is_absolute() and path.is_relative_to(home):
        return f"~/{path.relative_to(home).as_posix()}"
    return str(path)


def _read(path: Path) -> Any:
    try:
        return tomlkit.parse(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return tomlkit.document()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not TOML: {error}") from None


def _write(path: Path, document: AbstractTable) -> None:
    _write_text(path, tomlkit.dumps(document))


def _write_text(path: Path, text: str) -> None:
    data = (text.rstrip("\n") + "\n").encode()
    parse_config(data, path)  # epkit writes no file that it would refuse to read
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise unwritable(f"{path}: cannot be written", error) from None
