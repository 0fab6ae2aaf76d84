"""What a command is run in: the environment, the directory, and where notes go."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from epkit.core.http.secret import Secret
from epkit.errors import UsageError

Note = Callable[[str], None]
"""Says one line to the user, on stderr."""


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working directory is gone: change to another one") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a flow knows of the process it runs in; the command line makes it, and tests make their own.

    Args:
        note: where notes go.
        warn: where a note goes that has to be seen although notes are not, as in Python; None for *note*.
        secrets: a flow adds the credentials that it meets, for whoever has to mask what comes of an accident.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    cwd: Path = field(default_factory=_here)
    note: Note = print
    warn: Note | None = None
    secrets: list[Secret] = field(default_factory=list, repr=False)
