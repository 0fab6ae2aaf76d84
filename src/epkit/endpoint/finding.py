"""Finds the `epkit.toml` to read: the one in EPKIT_CONFIG, otherwise the nearest one upward, if the user owns it."""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from epkit.endpoint.config import FILENAME, MAX_BYTES, Config, TargetSpec, parse_config
from epkit.errors import UsageError, unreadable
from epkit.paths import foreign_owner, is_foreign, user_of

VARIABLE: Final = "EPKIT_CONFIG"
"""Variable with the path of the file: the user has chosen it, so its place and its owner are not checked."""


def find_config(directory: Path, environ: Mapping[str, str]) -> Config | None:
    """Read the file that EPKIT_CONFIG names, otherwise the nearest `epkit.toml` upward; None if there is none.

    Args:
        directory: where the search begins, absolute.
        environ: EPKIT_CONFIG (an empty one counts as unset) and SUDO_UID are read.

    Raises:
        UsageError: it cannot be read, belongs to another user, or has a mistake: the message is one line.
    """
    if named := environ.get(VARIABLE):
        path = directory / named
        return parse_config(_read_named(path), path)
    for folder in (directory, *directory.parents):
        path = folder / FILENAME
        content = _read_own(path, environ)
        if content is not None:
            root = next((above for above in (directory, *directory.parents) if (above / ".git").exists()), directory)
            return replace(
                parse_config(content, path),
                found=folder not in (directory, root),
                outside=not folder.is_relative_to(root),
            )
    return None


def found_note(spec: TargetSpec) -> str | None:
    """Return a note on the file that names a target, if the user may not know it; for use before a key is sent."""
    if spec.found_in is None:
        return None
    to = spec.shown if spec.uri is None else f"{spec.shown} ({spec.uri.shown})"
    return f"the target {to} comes from {spec.found_in}, which was found above this directory"


def unread_note(path: Path, directory: Path, environ: Mapping[str, str]) -> str | None:
    """Return why commands in a directory do not read a file that was just written; None if they read it."""
    named = environ.get(VARIABLE)
    if named:
        same = (directory / named).resolve() == path.resolve()
        return None if same else f"{path} is not read, because {VARIABLE} names {named}"
    owner = foreign_owner(path, environ)
    return None if owner is None else f"{path} is not read, because {owner}, unless {VARIABLE}={path} names it"


def _read_named(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(f"{VARIABLE}: {path}", error, "a file") from None


def _read_own(path: Path, environ: Mapping[str, str]) -> bytes | None:
    """Read a file that was found; None if it does not exist."""
    if (owner := foreign_owner(path, environ)) is not None:
        raise UsageError(f"{path}: not read, because {owner}: if you trust it, name it ({VARIABLE}={path})")
    try:
        # Without O_NONBLOCK, a pipe without a writer would block.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path}: not a regular file: move it away")
            if is_foreign(status, environ):  # the file has been replaced since the first check
                raise UsageError(f"{path}: not read, because it belongs to {user_of(status.st_uid)}")
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
