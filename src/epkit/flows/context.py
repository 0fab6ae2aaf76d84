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
        secrets: all credentials that were met, for whatever writes: those of the environment from the beginning,
            others as a flow meets them (`know`).
        ask: asks the user for a password, None where nobody is there to be asked.
        passwords: that were asked for, by what they open: each once.
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
        """Have credentials masked from now on, before the first text is made in which they may be."""
        for secret in secrets:
            if secret and secret not in self.secrets:
                self.secrets.append(secret)
