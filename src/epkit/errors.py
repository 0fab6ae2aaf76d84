"""Everything epkit raises on purpose; each class carries the exit code that the command line ends with.

    EpkitError              1  (never raised itself; 1 is a bug)
    ├── UsageError          2  bad flag, missing file, unreadable config, missing extra
    ├── ContractError       3  a payload or reply breaks its contract
    ├── EndpointError       4  unreachable, key refused, nothing succeeded
    └── BackendError        6  Azure or the local backend said no

A failed request of a load is not in this tree: it is data (`epkit.core.samples.rows.Failure`).
A missed threshold (5) and an interruption (130, 143) are outcomes of a command, not errors.
"""

from typing import ClassVar


class EpkitError(Exception):
    """A problem a user can act on.

    The message is one line: where, what, what to do (`payloads/x.json:3:14: not JSON: …`).
    """

    exit_code: ClassVar[int] = 1


class UsageError(EpkitError):
    """What was asked for cannot be done as asked: flags, files, configuration, extras."""

    exit_code = 2


class ContractError(EpkitError):
    """A payload or a reply breaks its contract."""

    exit_code = 3


class EndpointError(EpkitError):
    """The endpoint cannot be reached, refuses the key, or answered nothing with success."""

    exit_code = 4


class BackendError(EpkitError):
    """The control plane, Azure's or the local one, said no."""

    exit_code = 6


def unreadable(name: str, error: OSError, wanted: str) -> UsageError:
    """Say why a file cannot be read.

    Args:
        name: what the message calls the file.
        wanted: what it should be: `a file with a key`.
    """
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{name}: no such file")
    if isinstance(error, IsADirectoryError):
        return UsageError(f"{name}: is a directory, not {wanted}")
    return UsageError(f"{name}: cannot be read: {error.strerror}")
