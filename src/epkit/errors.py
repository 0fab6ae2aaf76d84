"""All exceptions that epkit raises on purpose; each class has the exit code of the command line.

    EpkitError              1  (never raised itself; 1 is a bug)
    ├── UsageError          2  bad flag, missing file, unreadable config, missing extra
    ├── ContractError       3  a payload or reply breaks its contract
    ├── EndpointError       4  unreachable, key refused, nothing succeeded
    └── BackendError        6  Azure or the local backend said no

A failed request of a load is not in this tree: it is data (`epkit.core.samples.rows.Failure`).
A missed threshold (5) and an interruption (130, 143) are outcomes of a command, not errors.
"""

import errno
from collections.abc import Mapping
from typing import ClassVar, Final


class EpkitError(Exception):
    """A problem a user can act on.

    The message is one line: where, what, what to do (`payloads/x.json:3:14: not JSON: …`).
    """

    exit_code: ClassVar[int] = 1


class UsageError(EpkitError):
    """The request of the user is not possible: flags, files, configuration, extras."""

    exit_code = 2


class ContractError(EpkitError):
    """A payload or a reply breaks its contract."""

    exit_code = 3


class EndpointError(EpkitError):
    """The endpoint cannot be reached, refuses the key, or no request succeeded."""

    exit_code = 4


class BackendError(EpkitError):
    """The control plane, Azure's or the local one, refused a request or failed."""

    exit_code = 6


REMEDIES: Final[Mapping[int, str]] = {
    errno.ENOSPC: "make room there, or name another place",
    errno.EDQUOT: "make room there, or name another place",
    errno.EFBIG: "raise the limit (ulimit -f), or name another place",
    errno.EROFS: "name another place",
    errno.EACCES: "name another place, or change its permissions",
    errno.EPERM: "name another place, or change its permissions",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "wait until other programs have closed files",
    errno.EIO: "check the disk",
}
"""What to do if the system refuses an operation; none of these errors is a bug of epkit."""


def system_words(error: OSError) -> str:
    """Describe an error of the system, and what to do: `no space left on device: make room there, …`."""
    why = (error.strerror or str(error)).lower()
    remedy = REMEDIES.get(error.errno or 0)
    return why if remedy is None else f"{why}: {remedy}"


def unwritable(name: str, error: OSError) -> UsageError:
    """Make the error for a file that cannot be written, with what to do.

    Args:
        name: the name of the file in the message, such as `--html report.html`.
    """
    return UsageError(f"{name}: {system_words(error)}")


def unreadable(name: str, error: OSError, wanted: str) -> UsageError:
    """Make the error for a file that cannot be read.

    Args:
        name: the name of the file in the message.
        wanted: the expected content, such as `a file with a key`.
    """
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{name}: no such file")
    if isinstance(error, IsADirectoryError):
        return UsageError(f"{name} is a directory, not {wanted}")
    return UsageError(f"{name}: cannot be read: {error.strerror}")
