"""Copies the files to deploy: a whole directory in the state of one moment, or an error.

Theory of operation. First the tree is listed, with the size and the time of each file. Then each file is copied,
flushed to disk and hashed. Then the tree is listed again. If the two lists differ, a file was written during the copy,
and the copy may be a state that the tree never had. Links are followed if they stay inside the tree; the copy contains
no links.
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
"""Which files of a directory are copied.

`all`: all except `__pycache__`. `code`: all except hidden directories (`.git`) and virtual environments too.
`modules`: only what Python imports: the `.py` files in the directory, and its packages.
"""

MOST_BYTES: Final = 100_000_000_000
"""Greatest size of all files together: larger models do not fit the machines that epkit is made for."""

MOST_FILES: Final = 100_000
"""Greatest number of files and directories: `--model /` is a mistake."""

BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A file or a directory in a tree.

    Args:
        real: its path after all links are followed.
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
        source: an absolute path.
        destination: must not exist, but its parent must. Its files are read-only; new files can be added to its
            directories, because scripts write next to themselves.

    Returns:
        The SHA-256 of the files: their paths, sizes and contents, in the order of the paths.

    Raises:
        UsageError: the source cannot be read, contains something that cannot be copied, is too large, or has changed.
        OSError: the destination cannot be written; the caller deletes the incomplete copy.
    """
    before = _list(source, selection)
    if destination.resolve().is_relative_to(source):
        raise UsageError(f"{source} holds the directory that epkit keeps endpoints in: name one that does not")
    if sum(entry.size_bytes for entry in before.values()) > shutil.disk_usage(destination.parent).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # before it fills the disk for all users
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
    """List a tree by relative path, `` for its root; a directory precedes its contents.

    Raises:
        UsageError: something in it cannot be copied, or there are too many files.
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
    """Return the paths and names of the entries of a directory that are copied."""
    with os.scandir(directory) as entries:
        return [
            (f"{at}/{each.name}" if at else each.name, each.name)
            for each in entries
            if _is_taken(each, selection, top=not at)
        ]


def _is_taken(entry: "os.DirEntry[str]", selection: Selection, *, top: bool) -> bool:
    try:
        is_directory = entry.is_dir()
    except OSError:  # a link to itself: `_look` reports it
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
    """Return the entry for a path.

    Raises:
        UsageError: it is neither a file nor a directory, or a link that is broken or leads out of the tree.
    """
    if path.is_symlink():
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):  # Python 3.11 and 3.12 raise a RuntimeError for a link to itself
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
        UsageError: it cannot be read, or is not as listed.
        OSError: the copy cannot be written.
    """
    try:
        # Opened so that it cannot block, in case the file has been replaced by a FIFO.
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
            os.fsync(made)  # some file systems report a full disk only here
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
