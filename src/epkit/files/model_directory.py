"""The directory of a model: written completely or not at all, and never over something that is not a model."""

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
"""`format` of a card."""

CACHE: Final = "__pycache__"
"""Of Python, where somebody imported from the directory."""

MOST_CARD_BYTES: Final = 16 << 20

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


def check(directory: Path, *, overwrite: bool) -> None:
    """Make sure, before anything is trained, that a model may be written there.

    Raises:
        UsageError: it is no directory, has other things in it, or a model that may not be written over.
    """
    try:
        entries = sorted(entry.name for entry in directory.iterdir())
    except FileNotFoundError:
        _check_parent(directory)
        return
    except NotADirectoryError:
        file = next(each for each in (directory, *directory.parents) if each.exists())
        raise UsageError(f"{file}: is a file: name another directory for the model") from None
    except OSError as error:
        raise unwritable(str(directory), error) from None
    if directory.is_mount():  # a model comes into its place by a rename, which the system refuses there
        raise UsageError(f"{directory}: a disk is mounted there, which no model can replace: name a directory in it")
    if not entries:
        return
    own = _own_files(directory)
    strange = [name for name in entries if name not in own]
    if strange:
        raise UsageError(f'{directory}: has other things in it ("{strange[0]}"): name another directory, or a new one')
    if not overwrite:
        raise UsageError(f"{directory}: holds a model already: --overwrite replaces it, or name another directory")


def is_model(path: Path) -> bool:
    """Tell whether a path is that of a model: its directory, or the card in it."""
    return path.name == CARD or (path / CARD).is_file()


def read_card(path: Path, name: str) -> dict[str, Any]:
    """Read the card of a model.

    Args:
        path: of the directory, or of the card itself.
        name: what messages call it.

    Raises:
        UsageError: it cannot be read, or is no card.
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
    """Say why no model can be read.

    Args:
        path: of the directory, or of the card itself.
        name: what messages call it.
    """
    if isinstance(error, FileNotFoundError) and path.is_dir():
        missing = Path(error.filename or CARD).name
        return UsageError(f"{name}: there is no {missing} in it: name the directory that epkit train wrote")
    if isinstance(error, NotADirectoryError):
        return UsageError(f"{name}: is a file: name the directory that epkit train wrote")
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
    """Return the card of a model that `epkit train` wrote, None where there is none."""
    try:
        return read_card(directory, str(directory))
    except UsageError:
        return None


def digest(directory: Path) -> str:
    """Return the SHA-256 of the files of a model: their paths, sizes and contents, in the order of the paths.

    It is that of the copy which `epkit deploy` makes of the directory.

    Raises:
        OSError: it cannot be read.
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
    """Return the files of a model by name: the card, and those that it lists.

    Args:
        where: what messages call it.

    Raises:
        UsageError: it is no directory of a model, or a file is missing.
    """
    names = _own_files(directory) - {CACHE}
    if not names:
        raise UsageError(f"{where}: {directory} is no directory of a model: epkit train -o makes one")
    try:
        return {name: (directory / name).read_bytes() for name in sorted(names) if name == Path(name).name}
    except OSError as error:
        raise unreadable(f"{where}: {error.filename}", error, "a file of a model") from None


def _own_files(directory: Path) -> frozenset[str]:
    """Return the names of the files that the card of a model lists, none without such a card."""
    card = card_of(directory)
    if card is None:
        return frozenset()
    files = card.get("files")
    names = files if isinstance(files, list) else []
    return frozenset({CARD, CACHE, *(name for name in names if isinstance(name, str))})


def write(directory: Path, files: Mapping[str, bytes], *, overwrite: bool) -> tuple[dict[str, str], dict[str, int]]:
    """Write a model, so that there is all of it or what was there before.

    Args:
        files: content by name; a card is among them, whose `files` lists the other names.

    Returns:
        SHA-256 and bytes of each file, by name.

    Raises:
        UsageError: see `check`; or the disk is full, or takes no files.
    """
    check(directory, overwrite=overwrite)
    target = Path(os.path.realpath(directory))  # a link stays one
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
        shutil.rmtree(temporary, ignore_errors=True)  # what was there before, or what could not be written
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return digests, {name: len(content) for name, content in files.items()}


def _write_file(path: Path, content: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        write_all(file, content)
        os.fsync(file.fileno())


def _put(temporary: Path, target: Path) -> None:
    """Let a directory take the place of another one; that one is afterwards where the first was.

    Raises:
        OSError: it cannot be done.
    """
    try:
        temporary.rename(target)  # takes the place of an empty directory, too
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if not _exchanged(temporary, target):
            # Without an exchange there is no model for a moment; the old one is kept next to it until then.
            aside = temporary.with_name(f"{temporary.name}-old")
            target.rename(aside)
            try:
                temporary.rename(target)
            except OSError:
                aside.rename(target)
                raise
            aside.rename(temporary)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two directories in one step, where the system can: Linux, on most file systems."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0)


def npz_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return the file that `numpy.load(allow_pickle=False)` reads; equal arrays give equal bytes.

    Raises:
        ValueError: an array of objects.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            # The time of a member is the first that zip can write; numpy would write the clock's.
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system, member.external_attr = 3, 0o600 << 16  # on every system what it is on Unix
            archive.writestr(member, _npy(arrays[name]))
    return out.getvalue()


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    plain: Any = array.astype(array.dtype.newbyteorder("<"), order="C", copy=False)
    np.lib.format.write_array(out, plain, version=(1, 0), allow_pickle=False)
    return out.getvalue()
