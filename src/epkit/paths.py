"""Names from outside (a server's, a file's, a worker's) are no paths until they have passed `inside`."""

from pathlib import Path
from typing import Final

from epkit.core.http.masking import clean
from epkit.errors import UsageError

MAX_NAME_BYTES: Final = 255
"""Of one part of a path: what file systems take."""


def inside(directory: Path, name: str, *, where: str, parts: int = 1) -> Path:
    """Join a name from outside to a directory that it must not lead out of.

    Args:
        directory: need not exist.
        name: of a file; with *parts* > 1 a relative path of at most as many, `/` between them.
        where: it comes from, for the message.

    Raises:
        UsageError: it is empty, absolute, has a part that is `.`, `..`, empty or too long, a control character, a
            backslash or a drive letter; or a link on the way leads out of the directory.
    """
    path = directory / name if (why := _unfit(name, parts)) is None else directory
    # What is linked to is followed by whoever opens the file.
    if why is None and not path.resolve().is_relative_to(directory.resolve()):
        why = f"leads out of {directory}"
    if why is not None:
        raise UsageError(f'{where}: "{clean(name)}" is not taken for the name of a file: it {why}')
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
