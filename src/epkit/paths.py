"""Checks whether a path can be trusted: one that contains a name from outside, or that leads to another user's file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from epkit.core.http.masking import clean
from epkit.errors import UsageError

MAX_NAME_BYTES: Final = 255
"""Most bytes of one part of a path, as file systems allow."""
ROOT: Final = 0


def inside(directory: Path, name: str, *, where: str, parts: int = 1) -> Path:
    """Join a name from outside to a directory; the name must not lead out of the directory.

    Args:
        directory: it may be missing.
        name: the name of a file; with *parts* > 1, a relative path of at most that many parts, separated by `/`.
        where: the origin of the name, for the message.

    Raises:
        UsageError: the name is empty, absolute, has a part that is `.`, `..`, empty or too long, a control character, a
            backslash or a drive letter; or a link in the path leads out of the directory.
    """
    path = directory / name if (why := _unfit(name, parts)) is None else directory
    # Opening the file follows a link.
    if why is None and not path.resolve().is_relative_to(directory.resolve()):
        why = f"leads out of {directory}"
    if why is not None:
        raise UsageError(f'{where}: "{clean(name)}" is not accepted as the name of a file: it {why}')
    return path


def _unfit(name: str, parts: int) -> str | None:
    split = name.split("/")
    if not name:
        return "is empty"
    if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in name):
        return "holds a control character"
    if len(split) > parts:
        return "holds a slash" if parts == 1 else "is absolute" if not split[0] else f"has more than {parts} parts"
    if "\\" in name or (name[:1].isalpha() and name[1:2] == ":"):
        return "is a path of Windows"
    if not split[0]:
        return "is absolute"
    if any(part in ("", ".", "..") for part in split):
        return 'has a part that is empty, "." or ".."'
    if any(len(part.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES for part in split):
        return f"has more than {MAX_NAME_BYTES} bytes"
    return None


def foreign_owner(path: Path, environ: Mapping[str, str]) -> str | None:
    """Return which other user a file or its directory belongs to; None if there is no such user or no such file.

    Files of root are accepted, because root can read the user's keys anyway; so are those of the user who ran `sudo`.

    Source: git's safe.directory (`is_path_owned_by_current_user`), which also refuses root's files.
    """
    try:
        # The link and its target: the owner of either decides which content is read.
        found = (("it", path.lstat()), ("it", path.stat()), ("its directory", path.parent.stat()))
    except OSError:
        return None
    return next((f"{what} belongs to {user_of(of.st_uid)}" for what, of in found if is_foreign(of, environ)), None)


def is_foreign(status: os.stat_result, environ: Mapping[str, str]) -> bool:
    """Return whether a file belongs to another user, by its status; see `foreign_owner`."""
    user = os.geteuid()
    caller = environ.get("SUDO_UID", "") if user == ROOT else ""
    return status.st_uid not in (user, ROOT) and str(status.st_uid) != caller


def user_of(uid: int) -> str:
    """Return the name of a user, for messages."""
    import pwd  # late: needed only for an error

    try:
        return f"user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"user {uid}"
