"""The key of a target: where it is searched for, which forms are accepted, and which server may get it."""

import base64
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from epkit.core.http.secret import Secret
from epkit.endpoint.config import TargetSpec
from epkit.errors import UsageError, unreadable
from epkit.reading import KEY, read_whole

TOKENS: Final = ("aad", "aml_token")
"""Kinds of auth for which a token must be requested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """The value of the Authorization header, and its source.

    Args:
        authorization: the header's whole value (`Bearer …`), None if the header is not sent.
        source: where the key was found, for messages (`-H`, `the URL`, `EPKIT_KEY`, …); "" if there is none.
        notes: notes for the user, one line each.
    """

    authorization: Secret | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

    def added_to(self, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Return the headers with Authorization; if they already have one, it stays unchanged."""
        given = tuple(headers)
        if self.authorization is None or any(name.lower() == "authorization" for name, _ in given):
            return given
        return (*given, ("Authorization", self.authorization.reveal()))


def find_key(
    target: TargetSpec, *, key_file: str | None, headers: Sequence[tuple[str, str]], environ: Mapping[str, str]
) -> Key:
    """Find the key of a target.

    The order is: `--key-file`; an unchanged Authorization among *headers*; userinfo in the URL, as Basic; the key that
    the endpoint's entry names; EPKIT_KEY. EPKIT_KEY is used only if the entry names no key and the target is not the
    embedded endpoint, whose key is made at its start. A token is not requested here: the result then has no
    authorization, and its source is the kind of token.

    Args:
        key_file: value of `--key-file`.
        headers: those of `-H`, in order.

    Raises:
        UsageError: a named key is missing, or does not have the form of a key. The message never shows the key.

    Source: RFC 6750, section 2.1 (Bearer); RFC 7617 (Basic).
    """
    given = [value for name, value in headers if name.lower() == "authorization"]
    if key_file is not None:
        if given:
            raise UsageError("--key-file and -H 'Authorization: …' both give a key: drop one")
        return _from_file(Path(key_file), f"--key-file {_harmless(key_file)}")
    if given:
        return Key(authorization=Secret(given[0]), source="-H")
    if target.uri is not None and target.uri.userinfo is not None:
        return Key(authorization=basic(target.uri.userinfo), source="the URL")
    if target.auth in TOKENS:
        return Key(source=target.auth)
    if target.key_file is not None:
        return _from_file(target.key_file, f"{target.place}.key_file: {_harmless(str(target.key_file))}")
    if target.key_env is not None:
        source = f"{target.place}.key_env: {_harmless(target.key_env)}"
        if target.key_env not in environ:
            raise UsageError(f"{source}: this environment variable is not set; it should hold the key")
        return _bearer(environ[target.key_env], source)
    if target.auth == "none" or target.embedded or not environ.get("EPKIT_KEY"):
        return Key()
    return _bearer(environ["EPKIT_KEY"], "EPKIT_KEY")


def basic(userinfo: Secret) -> Secret:
    """Return the value of a Basic Authorization (or Proxy-Authorization) header.

    Args:
        userinfo: `user:password`; without a colon the password is empty.

    Source: RFC 7617, with UTF-8.
    """
    user, _, password = userinfo.reveal().partition(":")
    encoded = base64.b64encode(f"{user}:{password}".encode("utf-8", "surrogateescape"))
    return Secret("Basic " + encoded.decode("ascii"))


def _from_file(path: Path, source: str) -> Key:
    try:
        content = read_whole(path, KEY, name=source)
        mode = path.stat().st_mode
    except OSError as error:
        raise unreadable(source, error, "a file with a key") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    key = _bearer(text, source)
    # Other users cannot read a pipe (process substitution), and Windows has no such bits.
    if os.name == "posix" and stat.S_ISREG(mode) and mode & 0o077:
        note = f"{source}: other users of this machine can access this key: chmod 600"
        return Key(authorization=key.authorization, source=source, notes=(*key.notes, note))
    return key


def _bearer(text: str, source: str) -> Key:
    key = text.strip()
    prefix = re.match(r"bearer(\s+|$)", key, re.IGNORECASE)
    notes = (f"{source} holds the word Bearer before the key; it was left out",) if prefix else ()
    key = key[prefix.end() :] if prefix else key
    if not key:
        raise UsageError(f"{source}: the key is empty")
    if len(key.splitlines()) > 1:
        raise UsageError(f"{source}: the key has more than one line")
    if any(c.isspace() for c in key):
        raise UsageError(f"{source}: the key has white space in it")
    if any(not ("!" <= c <= "~" or "\xa1" <= c <= "\xff") for c in key):
        raise UsageError(f"{source}: the key holds a control character, or one that a header cannot (outside Latin-1)")
    return Key(authorization=Secret(f"Bearer {key}"), source=source, notes=notes)


def looks_like_key(name: str) -> bool:
    """Tell whether the name of a file or a variable looks like the key itself, given by mistake."""
    return re.fullmatch(r"(?=.*[0-9])(?=.*[a-z])[A-Za-z0-9+=_-]{24,}|eyJ.*", name) is not None


def _harmless(name: str) -> str:
    """Return the name of a file or a variable, unless it looks like the key itself."""
    return "(not shown, it looks like a key)" if looks_like_key(name) else name
