"""Which `epkit.toml` is read: the one that EPKIT_CONFIG names, else the nearest upward, if it is the user's own."""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from epkit.endpoint.config import FILENAME, MAX_BYTES, Config, TargetSpec, parse_config
from epkit.errors import UsageError, unreadable

VARIABLE: Final = "EPKIT_CONFIG"
"""Names the file to read: it is meant, so nobody asks where it lies and whose it is."""

ROOT: Final = 0


def find_config(directory: Path, environ: Mapping[str, str]) -> Config | None:
    """Read the file that EPKIT_CONFIG names, else the nearest `epkit.toml` upward; None where there is none.

    Args:
        directory: absolute; where the search begins.
        environ: EPKIT_CONFIG is read, empty counts as unset, and SUDO_UID.

    Raises:
        UsageError: it cannot be read, it is somebody else's, or something in it is wrong: one line.
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
    """Say where a target comes from, if the user may not know of the file: before a key is sent there."""
    if spec.found_in is None:
        return None
    to = spec.shown if spec.uri is None else f"{spec.shown} ({spec.uri.shown})"
    return f"the target {to} comes from {spec.found_in}, which was found above this directory"


def foreign_owner(path: Path, environ: Mapping[str, str]) -> str | None:
    """Say which other user a file or its directory belongs to; None where none does, or there is no file.

    Root's are taken, as root can read the user's keys anyway; so are those of the user who called `sudo`.

    Source: git's safe.directory (`is_path_owned_by_current_user`), which refuses root's, too.
    """
    try:
        # The link and what it leads to: whoever owns either decides what is read.
        found = (("it", path.lstat()), ("it", path.stat()), ("its directory", path.parent.stat()))
    except OSError:
        return None
    return next((f"{what} belongs to {_user(of.st_uid)}" for what, of in found if _is_foreign(of, environ)), None)


def unread_note(path: Path, environ: Mapping[str, str]) -> str | None:
    """Say why a file that was just written is not read from its own directory; None where it is."""
    named = environ.get(VARIABLE)
    if named:
        same = (path.parent / named).resolve() == path.resolve()
        return None if same else f"{path}: is not read as long as {VARIABLE} names {named}"
    owner = foreign_owner(path, environ)
    return None if owner is None else f"{path}: is not read, for {owner}, unless {VARIABLE}={path} names it"


def _is_foreign(status: os.stat_result, environ: Mapping[str, str]) -> bool:
    user = os.geteuid()
    caller = environ.get("SUDO_UID", "") if user == ROOT else ""
    return status.st_uid not in (user, ROOT) and str(status.st_uid) != caller


def _user(uid: int) -> str:
    import pwd  # only on the way to an error

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"


def _read_named(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(f"{VARIABLE}: {path}", error, "a file") from None


def _read_own(path: Path, environ: Mapping[str, str]) -> bytes | None:
    """Read a file that was found; None where there is none."""
    if (owner := foreign_owner(path, environ)) is not None:
        raise UsageError(f"{path}: not read, for {owner}: if you trust it, name it ({VARIABLE}={path})")
    try:
        # Without O_NONBLOCK a pipe that nobody writes to would block.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError(f"{path}: not a regular file: move it away")
            if _is_foreign(status, environ):  # it was another one a moment ago
                raise UsageError(f"{path}: not read, for it belongs to {_user(status.st_uid)}")
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
