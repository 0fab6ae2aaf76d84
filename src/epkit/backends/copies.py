"""Copies of what is deployed: the files of a directory, whole and as they were at one moment, or an error.

Theory of operation. The tree is listed first, with the size and the time of each file. Each file is copied, flushed to
the disk and hashed; then the tree is listed again. Where the two lists differ, something was written meanwhile, and the
copy is no state that the tree was ever in. Links are followed while they stay inside the tree: the copy holds none.
"""

import errno
import os
import shutil
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal, TypeAlias

from epkit.core.http.masking import clean
from epkit.errors import UsageError

Selection: TypeAlias = Literal["all", "code", "modules"]
"""What of a directory is taken.

`all`: everything but `__pycache__`. `code`: no hidden directories (`.git`) and no virtual environments either.
`modules`: what Python imports: the `.py` files in it, and its packages.
"""

MOST_BYTES: Final = 100_000_000_000
"""Of all files of a directory together: larger models than that do not fit the machine that epkit is for."""

MOST_FILES: Final = 100_000
"""The same, counted with the directories: `--model /` is a mistake."""

BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A file or a directory of a tree.

    Args:
        real: what it is once links are followed.
        size_bytes, time_ns, inode: 0 for a directory.
    """

    real: Path
    is_directory: bool
    is_executable: bool = False
    size_bytes: int = 0
    time_ns: int = 0
    inode: int = 0


def copy_tree(source: Path, destination: Path, selection: Selection = "all") -> str:
    """Copy a directory, or a file.

    Args:
        source: absolute.
        destination: must not be there, its parent must. Its files are read-only; its directories take new files, as
            scripts write next to themselves.

    Returns:
        The SHA-256 of the files: their paths, sizes and contents, in the order of the paths.

    Raises:
        UsageError: the source cannot be read, holds what cannot be copied, is too large, or changed meanwhile.
        OSError: the destination cannot be written; what was copied until then is the caller's to delete.
    """
    before = _list(source, selection)
    if destination.resolve().is_relative_to(source):
        raise UsageError(f"{source}: holds the directory that epkit keeps endpoints in: name one that does not")
    if sum(entry.size_bytes for entry in before.values()) > shutil.disk_usage(destination.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # before the disk is full for everybody
    whole = sha256()
    for path, entry in sorted(before.items()):
        there = destination / path if path else destination
        if entry.is_directory:
            there.mkdir(mode=0o700)
            continue
        content = _copy_file(entry, there)
        named = os.fsencode(path or source.name)
        whole.update(b"%d:%s%d:%s" % (len(named), named, entry.size_bytes, content))
    after = _list(source, selection)
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if changed:
        raise _changing(source / changed[0])
    return whole.hexdigest()


def _list(source: Path, selection: Selection) -> dict[str, _Entry]:
    """List a tree by relative path, `` for its root; a directory comes before what is in it.

    Raises:
        UsageError: something in it cannot be copied, or there is too much.
    """
    try:
        root = source.resolve(strict=True)
        found = {"": _look(source, root, root)}
        total = found[""].size_bytes
        left: list[tuple[str, tuple[Path, ...]]] = [("", (root,))] if found[""].is_directory else []
        while left:
            at, above = left.pop()
            for path, name in sorted(_names(found[at].real, at, selection)):
                entry = _look(source / path, found[at].real / name, root)
                if entry.is_directory:
                    if entry.real in above:
                        raise UsageError(f"{_shown(source / path)}: a link to a directory above it: take it out")
                    left.append((path, (*above, entry.real)))
                found[path] = entry
                total += entry.size_bytes
                if total > MOST_BYTES or len(found) > MOST_FILES:
                    raise _too_much(source, total, len(found))
    except OSError as error:
        at_ = _shown(Path(os.fsdecode(error.filename or source)))
        if isinstance(error, FileNotFoundError):
            raise _changing(Path(os.fsdecode(error.filename or source))) from None
        raise UsageError(f"{at_}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    return found


def _names(directory: Path, at: str, selection: Selection) -> list[tuple[str, str]]:
    """Return the path and the name of what is taken of a directory."""
    with os.scandir(directory) as entries:
        return [
            (f"{at}/{each.name}" if at else each.name, each.name)
            for each in entries
            if _is_taken(each, selection, top=not at)
        ]


def _is_taken(entry: "os.DirEntry[str]", selection: Selection, *, top: bool) -> bool:
    try:
        is_directory = entry.is_dir()
    except OSError:  # a link to itself: `_look` says so
        is_directory = False
    if not is_directory:
        return selection != "modules" or not top or entry.name.endswith(".py")
    if entry.name == "__pycache__":
        return False
    if selection == "all":
        return True
    inside = Path(entry.path)
    if entry.name.startswith(".") or (inside / "pyvenv.cfg").exists():
        return False
    return selection == "code" or not top or (inside / "__init__.py").exists()


def _look(shown: Path, path: Path, root: Path) -> _Entry:
    """Say what a path is.

    Raises:
        UsageError: it is neither file nor directory, or a link that leads nowhere or out of the tree.
    """
    if path.is_symlink():
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise the latter for a link to itself
            raise UsageError(f"{_shown(shown)}: a link that leads nowhere: take it out") from None
        if not real.is_relative_to(root):
            raise UsageError(
                f"{_shown(shown)}: a link out of the directory, to {_shown(real)}: "
                "put a copy in its place (cp -rL copies a directory without links)"
            )
        path = real
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        return _Entry(real=path, is_directory=True)
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(f"{_shown(shown)}: neither a file nor a directory: take it out")
    return _Entry(
        real=path,
        is_directory=False,
        is_executable=bool(status.st_mode & stat.S_IXUSR),
        size_bytes=status.st_size,
        time_ns=status.st_mtime_ns,
        inode=status.st_ino,
    )


def _copy_file(entry: _Entry, destination: Path) -> bytes:
    """Copy a file, and return the SHA-256 of its content.

    Raises:
        UsageError: it cannot be read, or is not as it was listed.
        OSError: the copy cannot be written.
    """
    try:
        # Not to wait for a writer, should it have become a FIFO.
        source = open(os.open(entry.real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)  # noqa: SIM115, PTH123
    except FileNotFoundError:
        raise _changing(entry.real) from None
    except OSError as error:
        raise UsageError(f"{_shown(entry.real)}: cannot be read: {(error.strerror or '').lower()}") from None
    mode = 0o500 if entry.is_executable else 0o400
    with source:
        made = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(made, "wb", buffering=0) as copy:  # noqa: PTH123 - of a descriptor
            content = sha256()
            size = 0
            while block := _read(source.fileno(), entry):
                content.update(block)
                size += len(block)
                if size > entry.size_bytes:
                    break
                left = memoryview(block)
                while left:
                    left = left[copy.write(left) :]
            os.fsync(made)  # some file systems say only here that there is no room
    if size != entry.size_bytes:
        raise _changing(entry.real)
    return content.digest()


def _read(descriptor: int, entry: _Entry) -> bytes:
    try:
        return os.read(descriptor, BLOCK_BYTES)
    except OSError as error:
        raise UsageError(f"{_shown(entry.real)}: cannot be read: {(error.strerror or '').lower()}") from None


def _changing(path: Path) -> UsageError:
    return UsageError(f"{_shown(path)}: changed while it was copied: wait until it is written, and try again")


def _too_much(source: Path, total_bytes: int, count: int) -> UsageError:
    if total_bytes > MOST_BYTES:
        what = f"over {total_bytes / 1e9:,.1f} GB, and {MOST_BYTES / 1e9:,.0f} GB are copied at most"
    else:
        what = f"over {count - 1:,} files, and {MOST_FILES:,} are copied at most"
    return UsageError(f"{_shown(source)}: {what}: name the directory that holds the model alone")


def _shown(path: Path) -> str:
    return clean(str(path))
