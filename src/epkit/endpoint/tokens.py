"""Tokens for scoring: all come from one azure-identity credential, and each is replaced before it expires."""

import importlib.util
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final, Self

from epkit.core.hosting.azure_errors import reduce
from epkit.core.hosting.deployments import Token
from epkit.core.http.secret import Secret
from epkit.errors import EpkitError, UsageError
from epkit.process import silenced, unwarned

AUDIENCE: Final = "https://ml.azure.com/.default"
MARGIN_S: Final = 300.0
"""A token is renewed this time before it expires; azure-identity also requests another one then."""
RETRY_S: Final = 10.0
PATIENCE_S: Final = 60.0
"""Longest wait for a token, with all services that are involved."""

TokenSource = Callable[[], Token]


def credential() -> Any:
    """Return azure-identity's credential for users and service principals; it never opens a browser.

    Raises:
        UsageError: azure-identity is not installed.
    """
    if not _installed("azure.identity"):
        raise UsageError('a login at Azure needs the extra azure: pip install "epkit[azure]"')
    with unwarned("azure|msal|cryptography"):
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential(exclude_interactive_browser_credential=True, exclude_broker_credential=True)


def aad_source() -> TokenSource:
    """Return a source that requests tokens for managed online endpoints from AAD.

    Raises:
        UsageError: azure-identity is not installed.
    """
    asked = credential()

    def ask() -> Token:
        try:
            with silenced("azure", "msal", "urllib3"):  # azure-identity logs its whole chain
                found = asked.get_token(AUDIENCE)
        except Exception as error:  # noqa: BLE001 - azure-identity may raise anything
            raise UsageError(reduce(error).line) from None
        return made(found.token, float(found.expires_on))

    return in_time(ask)


def in_time(source: TokenSource, limit_s: float = PATIENCE_S) -> TokenSource:
    """Return a source that waits for another one only until a time limit: SDKs retry for minutes."""

    def ask() -> Token:
        outcome: SimpleQueue[Token | BaseException] = SimpleQueue()

        def work() -> None:
            try:
                outcome.put(source())
            except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
                outcome.put(error)

        threading.Thread(target=work, name="token-service", daemon=True).start()
        try:
            result = outcome.get(timeout=limit_s)
        except Empty:
            raise UsageError(f"no token within {limit_s:g} s: is the network up?") from None
        if isinstance(result, BaseException):
            raise result
        return result

    return ask


def made(text: str, expires_at_s: float) -> Token:
    """Make a token that is replaced five minutes before its end, but not before half of its time."""
    left = expires_at_s - time.time()
    return Token(text=Secret(text), expires_at_s=expires_at_s, refresh_at_s=expires_at_s - min(MARGIN_S, left / 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """The values for the renewal of a token.

    Args:
        source: requests another token.
        first: the token in use.
    """

    source: TokenSource
    first: Token = field(repr=False)


class Keeper:
    """Renews a token in its own thread; a context manager.

    If a token cannot be replaced, it stays in use until its end, and another one is requested repeatedly.
    """

    def __init__(
        self, source: TokenSource, first: Token, replaced: Callable[[Secret], None], note: Callable[[str], None]
    ) -> None:
        """Prepare.

        Args:
            first: the token in use.
            replaced: called with each new token, in the keeper's thread.
            note: called once with the reason if no new token is available.
        """
        self._source = source
        self._token = first
        self._replaced = replaced
        self._note = note
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="token", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop; a request for a token that is in progress is abandoned."""
        self._over.set()

    def _keep(self) -> None:
        wait = self._token.refresh_at_s - time.time()
        noted = False
        while not self._over.wait(max(0.0, wait)):
            try:
                new = self._source()
            except EpkitError as error:
                if not noted:
                    self._note(f"the token cannot be renewed yet: {error}")
                noted, wait = True, self._pause()
                continue
            if new.text == self._token.text:
                wait = self._pause()  # the source returned the old token from its cache
                continue
            self._token = new
            self._replaced(new.text)
            wait = new.refresh_at_s - time.time()

    def _pause(self) -> float:
        left = self._token.expires_at_s - time.time()
        return min(RETRY_S, max(0.2, left / 4))


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
