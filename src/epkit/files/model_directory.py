"""Reads and writes the directory of a model: completely or not at all, and never over something that is not a model."""

import ctypes
import errno
import hashlib
import io
import json
import os
import secrets
import shutil
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from epkit.errors import UsageError, unreadable, unwritable
from epkit.files.writing import sync_directory, write_all

CARD: Final = "card.json"
CARD_FORMAT: Final = "epkit.card/1"
"""The value of `format` in a card."""

CACHE: Final = "__pycache__"
"""Python's cache directory; it appears if a program imports from the model's directory."""

MOST_CARD_BYTES: Final = 16 << 20

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


def check(directory: Path, *, overwrite: bool) -> None:
    """Check, before the training, that a model may be written to a directory.

    Raises:
        UsageError: it is not a directory, contains other things, or contains a model that must not be overwritten.
    """
    try:
        entries = sorted(entry.name for entry in directory.iterdir())
    except FileNotFoundError:
        _check_parent(directory)
        return
    except NotADirectoryError:
        file = next(each for each in (directory, *directory.parents) if each.exists())
        raise UsageError(f"{file} is a file: name another directory for the model") from None
    except OSError as error:
        raise unwritable(str(directory), error) from None
    if directory.is_mount():  # a model is put in place by a rename, which the system refuses there
        raise UsageError(f"{directory}: a disk is mounted there, which no model can replace: name a directory in it")
    if not entries:
        return
    own = _own_files(directory)
    strange = [name for name in entries if name not in own]
    if strange:
        raise UsageError(f'{directory} has other things in it ("{strange[0]}"): name another directory, or a new one')
    if not overwrite:
        raise UsageError(f"{directory} holds a model already: --overwrite replaces it, or name another directory")


def is_model(path: Path) -> bool:
    """Tell whether a path is a model: its directory, or its card."""
    return path.name == CARD or (path / CARD).is_file()


def read_card(path: Path, name: str) -> dict[str, Any]:
    """Read the card of a model.

    Args:
        path: the directory, or the card itself.
        name: name of the model in messages.

    Raises:
        UsageError: the card cannot be read, or the file is not a card.
    """
    file = path if path.name == CARD else path / CARD
    try:
        with file.open("rb") as opened:
            content = opened.read(MOST_CARD_BYTES + 1)
        card = json.loads(content) if len(content) <= MOST_CARD_BYTES else None
    except OSError as error:
        raise no_model(path, name, error) from None
    except (ValueError, RecursionError):
        card = None
    if not isinstance(card, dict) or card.get("format") != CARD_FORMAT:
        raise UsageError(f"{name}: {CARD} is not the card of a model: name the directory that epkit train wrote")
    return card


def no_model(path: Path, name: str, error: OSError) -> UsageError:
    """Return the error for a model that cannot be read.

    Args:
        path: the directory, or the card itself.
        name: name of the model in messages.
    """
    if isinstance(error, FileNotFoundError) and path.is_dir():
        missing = Path(error.filename or CARD).name
        return UsageError(f"{name}: there is no {missing} in it: name the directory that epkit train wrote")
    if isinstance(error, NotADirectoryError):
        return UsageError(f"{name} is a file: name the directory that epkit train wrote")
    return unreadable(name, error, "a model")


def _check_parent(directory: Path) -> None:
    parent = directory.absolute().parent
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir():
        raise UsageError(f"{directory}: {parent} is a file: name another directory for the model")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise unwritable(str(directory), PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def card_of(directory: Path) -> dict[str, Any] | None:
    """Return the card of a model that `epkit train` wrote, None if there is no such card."""
    try:
        return read_card(directory, str(directory))
    except UsageError:
        return None


def digest(directory: Path) -> str:
    """Return the SHA-256 of a model's files: their paths, sizes and contents, in the order of the paths.

    The copy that `epkit deploy` makes of the directory has the same digest.

    Raises:
        OSError: a file cannot be read.
    """
    whole = hashlib.sha256()
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    for name, path in sorted(files.items()):
        if CACHE in path.relative_to(directory).parts[:-1]:
            continue
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        named = os.fsencode(name)
        whole.update(b"%d:%s%d:%s" % (len(named), named, path.stat().st_size, content))
    return whole.hexdigest()


def read(directory: Path, where: str) -> dict[str, bytes]:
    """Return the files of a model by name: the card, and the files that the card lists.

    Args:
        where: name of the directory in messages.

    Raises:
        UsageError: the directory is not a model, or a file is missing.
    """
    names = _own_files(directory) - {CACHE}
    if not names:
        raise UsageError(f"{where}: {directory} is no directory of a model: epkit train -o makes one")
    try:
        return {name: (directory / name).read_bytes() for name in sorted(names) if name == Path(name).name}
    except OSError as error:
        raise unreadable(f"{where}: {error.filename}", error, "a file of a model") from None


def _own_files(directory: Path) -> frozenset[str]:
    """Return the names of the files that the model's card lists; none if there is no such card."""
    card = card_of(directory)
    if card is None:
        return frozenset()
    files = card.get("files")
    names = files if isinstance(files, list) else []
    return frozenset({CARD, CACHE, *(name for name in names if isinstance(name, str))})


def write(directory: Path, files: Mapping[str, bytes], *, overwrite: bool) -> tuple[dict[str, str], dict[str, int]]:
    """Write a model. Afterwards the directory has the complete model, or its old contents.

    Args:
        files: content by name. One of them is a card; its `files` lists the other names.

    Returns:
        SHA-256 and size in bytes of each file, by name.

    Raises:
        UsageError: see `check`; or the disk is full, or the directory is not writable.
    """
    check(directory, overwrite=overwrite)
    target = Path(os.path.realpath(directory))  # a link stays a link
    temporary = target.with_name(f".epkit-{secrets.token_hex(6)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        for name, content in files.items():
            _write_file(temporary / name, content)
        sync_directory(temporary)
        _put(temporary, target)
        sync_directory(target.parent)
    except OSError as error:
        raise unwritable(str(directory), error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # the old contents, or an incomplete model
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return digests, {name: len(content) for name, content in files.items()}


def _write_file(path: Path, content: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        write_all(file, content)
        os.fsync(file.fileno())


def _put(temporary: Path, target: Path) -> None:
    """Replace the directory *target* with *temporary*; the old target is at the path of *temporary* afterwards.

    Raises:
        OSError: the rename fails.
    """
    try:
        temporary.rename(target)  # this also replaces an empty directory
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not _exchanged(temporary, target):
            # Without an exchange there is no model for a moment; meanwhile the old one is kept next to it.
            aside = temporary.with_name(f"{temporary.name}-old")
            target.rename(aside)
            try:
                temporary.rename(target)
            except OSError:
                aside.rename(target)
                raise
            aside.rename(temporary)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two directories in one step, if the system supports it: Linux, on most file systems."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the file that `numpy.load(allow_pickle=False)` reads; equal arrays give equal bytes.

    Raises:
        ValueError: an array contains objects.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            # The time of a member is the first that zip can write; numpy would write the clock's.
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system, member.external_attr = 3, 0o600 << 16  # on every system the values of Unix
            archive.writestr(member, _npy(arrays[name]))
    return out.getvalue()


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    plain: Any = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    np.lib.format.write_array(out, plain, version=(1, 0), allow_pickle=False)
    return out.getvalue()
