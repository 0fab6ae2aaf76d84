"""The surroundings of a command: the environment, the directory, and the function for notes."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from epkit.core.http.masking import url_secrets
from epkit.core.http.secret import Secret
from epkit.core.http.url import is_url, proxy_secrets
from epkit.errors import UsageError

PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
"""Variables that name proxies, in lower case; they may hold a password."""

Note = Callable[[str], None]
"""Writes one line for the user to stderr."""


def _here() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working directory is gone: change to another one") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The process that a flow runs in; the command line creates it, and tests create their own.

    Args:
        note: takes notes for the user.
        warn: takes the notes that the user has to see even if other notes are dropped, as in Python; None: *note*.
        secrets: all credentials that are known so far, for everything that writes. The list starts with those of the
            environment, and flows add others (`know`).
        ask: asks the user for a password; None if nobody can answer.
        passwords: the passwords that the user typed, by the file that they open; each is asked for once.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    cwd: Path = field(default_factory=_here)
    note: Note = print
    warn: Note | None = None
    secrets: list[Secret] = field(default_factory=list, repr=False)
    ask: Callable[[str], str] | None = None
    passwords: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.know([Secret(self.environ.get("EPKIT_KEY", "").strip())])
        for name, value in self.environ.items():
            if name.lower() in PROXIES:
                self.know(proxy_secrets(value))
        target = self.environ.get("EPKIT_TARGET", "")
        self.know(url_secrets(target) if is_url(target) else ())

    def know(self, secrets: Iterable[Secret]) -> None:
        """Mask these credentials from now on. Call this before any text is made that may contain them."""
        for secret in secrets:
            if secret and secret not in self.secrets:
                self.secrets.append(secret)
