"""Masks keys, tokens, cookies and passwords before anything is printed, logged or saved.

`clean` makes external text safe for a terminal. `mask_url` and `mask_header` recognise a credential by the *name* of a
part. `mask_text` gets the secrets themselves, and finds them in any text, in any form that encoders make of them
(`epkit.core.http.forms`).

A command's results are masked as values, by `mask_values`, before they are rendered: in rendered JSON, a secret of four
digits would also mask parts of numbers. Text for a terminal or a file passes `mask_text` once more, which then looks
only for `distinct` secrets. Predictions have their own mask, `KeyGuard`.
"""

import dataclasses
import enum
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast
from urllib.parse import quote, unquote, unquote_plus

from epkit.core.http.forms import forms_of
from epkit.core.http.secret import Secret
from epkit.core.shortening import ELLIPSIS, cut

MASK: Final = "***"

SHORTEST: Final = 4
"""Shorter secrets are not searched for in texts: the masks would destroy the text and show where the secrets were."""

DISTINCT: Final = 8
"""Shorter secrets may also be a number or a word of a document."""

KEY: Final = 16
"""Least length of a secret that cannot be a prediction."""

OWN: Final[Mapping[str, bool]] = {"own": True}
"""Metadata of a dataclass field with a text of epkit itself (a digest, a time, a keyword): it is never masked."""

Value = TypeVar("Value")

_PASSES: Final = 4
"""A secret that contains a mask can appear again after each round: then nothing of the text is shown."""

_ENCODINGS: Final = 8
"""Greatest number of times that a name is decoded: without a limit the time would be quadratic in its length."""

_WORDS: Final = (
    *("auth", "authorization", "bearer", "cookie", "credentials", "jwt", "pass", "passphrase", "pwd", "sas"),
    *("keys", "passwords", "secrets", "session", "sessionid", "sid", "sig"),
)
_ENDINGS: Final = ("key", "token", "secret", "password", "passwd", "signature", "credential")
_LOCATIONS: Final = (
    "location",
    "content-location",
    "operation-location",
    "azure-asyncoperation",
    "referer",
    "link",
)
_SCHEME = re.compile(r"(Bearer|Basic)[ \t]+\S", re.IGNORECASE)
_URL = re.compile(r"(?<=:)//[^\s<>\"']+")  # the scheme before it contains no credential
_PAIR = re.compile(r"(?<=[?&])[^\s<>\"'?&=]+=[^\s<>\"'&)]+")  # a parameter of a query, also after a path without a host
_AUTHORITY = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*:[/\\]*|//)?"
    r"([^/?#]*@|[^/?#@\[:]*:(?!\d*(?:[/?#]|$)).*@)?",  # after a colon: no port, so a password
    re.DOTALL,
)
# CSI, OSC (ended by BEL or ST) and two-byte escapes of ECMA-48.
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?|\x9b[0-?]*[ -/]*[@-~]")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def mask_url(url: str) -> str:
    """Mask the credentials in a URL: userinfo, and query values whose names are sensitive.

    Args:
        url: absolute or not, well-formed or not; names may be percent-encoded.

    Returns:
        The same URL, with `***` in place of each credential.
    """
    authority = _AUTHORITY.match(url)
    assert authority is not None  # every part of the pattern is optional
    lead, userinfo = authority.group(1) or "", authority.group(2)
    rest = url[authority.end() :]
    parts = re.split(r"([?#&])", rest)
    masked = [part if i == 0 or part in "?#&" else _mask_pair(part) for i, part in enumerate(parts)]
    return lead + (f"{MASK}@" if userinfo else "") + "".join(masked)


def url_secrets(url: str) -> Iterator[Secret]:
    """Yield the credentials in a URL, in the forms in which a message may quote them.

    They are those that `mask_url` masks: userinfo, and values with sensitive names; also those of a URL inside a value.
    """
    authority = _AUTHORITY.match(url)
    assert authority is not None  # every part of the pattern is optional
    userinfo = (authority.group(2) or "").removesuffix("@")
    found = [userinfo, unquote(userinfo, errors="surrogateescape")]
    query = url[authority.end() :].partition("?")[2].partition("#")[0]
    for pair in re.split("[&;]", query):
        value = pair.partition("=")[2]
        if value and _mask_pair(pair) != pair:
            plain = unquote_plus(value)
            if "://" in plain and not _names_secret(pair.partition("=")[0]):
                yield from url_secrets(plain)
            else:
                found += [value, plain, query]
    yield from (Secret(text) for text in dict.fromkeys(found) if text)


def mask_header(name: str, value: str) -> str:
    """Mask the value of a header, if the header carries credentials.

    Args:
        name: in any case.
        value: as sent or received.

    Returns:
        `Bearer ***` or `Basic ***` for credentials of these schemes, `***` for other credentials, cookies and keys. In
        any other value, URLs are masked.
    """
    lower = name.strip().lower()
    if is_sensitive(lower):
        scheme = _SCHEME.match(value.strip()) if lower.endswith("authorization") else None
        return f"{scheme.group(1)} {MASK}" if scheme else MASK
    if lower in _LOCATIONS and "://" not in value:
        return mask_url(value)
    return _URL.sub(lambda found: mask_url(found.group()), value)


def mask_urls(text: str) -> str:
    """Mask the credentials in the URLs of a text, and in paths with a query, as libraries quote them in errors."""
    return _PAIR.sub(lambda found: _mask_pair(found.group()), mask_header("", text))


def mask_text(text: str, secrets: Iterable[Secret], *, distinct: bool = False) -> str:
    """Replace every secret in a text, in any form; the time is linear in the text.

    Args:
        secrets: searched for unchanged; percent-encoded; JSON-, Python- or HTML-escaped, also twice; in base64, as the
            whole or a part of the encoded text (`user:password` of Basic). For `Bearer x` and `Basic x`, x is also
            searched for; for `user:password`, the password. Secrets shorter than `SHORTEST` are not searched for.
        distinct: search only for secrets that cannot be anything else, see `is_distinct`.

    Returns:
        The text with `***` for each part that belonged to a secret. It contains none of the secrets, and no beginning
        of one before an ellipsis at which the text was `cut`.
    """
    known = dict.fromkeys(secret.reveal() for secret in secrets)
    forms = [form for each in known if not distinct or is_distinct(each) for form in forms_of(each, SHORTEST)]
    for _ in range(_PASSES):
        spans = sorted(span for form in forms for span in form.spans(text))
        if ELLIPSIS in text:
            spans = sorted([*spans, *(span for form in forms for span in form.begun(text))])
        if not spans:
            return text
        pieces: list[str] = []
        at = 0
        for start, end in spans:
            if start > at or not pieces:
                pieces += [text[at:start], MASK]
            at = max(at, end)
        text = "".join(pieces) + text[at:]  # the joined parts may form a secret again
    return MASK


def is_distinct(secret: str) -> bool:
    """Tell whether a secret cannot be anything else in a document: no number, no keyword, no tag.

    Args:
        secret: its text.
    """
    return len(secret) >= DISTINCT and any(map(str.isdigit, secret)) and any(map(str.isalpha, secret))


def mask_values(value: Value, secrets: Sequence[Secret]) -> Value:
    """Mask every text in a value, at any depth: in dataclasses, tuples, lists and mappings.

    Numbers are not changed, so a secret of four digits masks no part of them. Neither are texts of epkit itself:
    dataclass fields that are marked as `OWN`. Keys of mappings are masked only for distinct secrets.

    Returns:
        A copy; a part without a secret is the same object.
    """
    masked: Any = value
    if isinstance(value, str):
        masked = value if isinstance(value, enum.Enum) else mask_text(value, secrets)
    elif isinstance(value, list | tuple):
        inner = [mask_values(each, secrets) for each in value]
        if any(one is not other for one, other in zip(inner, value, strict=True)):
            masked = type(value)(*inner) if hasattr(value, "_fields") else type(value)(inner)
    elif isinstance(value, Mapping):
        pairs = [(_key(key, secrets), mask_values(each, secrets)) for key, each in value.items()]
        same = all(new == old and one is value[old] for (new, one), old in zip(pairs, value, strict=True))
        masked = value if same else dict(pairs)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {}
        for field in dataclasses.fields(value):
            before = getattr(value, field.name)
            after = before if field.metadata.get("own") else mask_values(before, secrets)
            if after is not before:
                changed[field.name] = after
        masked = dataclasses.replace(value, **changed) if changed else value
    return cast("Value", masked)


class KeyGuard:
    """Removes keys from predictions. It costs nearly nothing if a reply contains none: a few searches in its bytes.

    Predictions are data. Only a secret of at least `KEY` characters, with letters and digits, is surely a key and not a
    prediction.
    """

    def __init__(self, secrets: Sequence[Secret]) -> None:
        """Take the secrets; if others are added to the sequence, they are used too."""
        self._secrets = secrets
        self._last: tuple[Secret, ...] = ()
        self._keys: list[Secret] = []
        self._anchors: tuple[bytes, ...] = ()

    def __call__(self, body: bytes, found: list[Any]) -> list[Any]:
        """Mask the predictions of a reply.

        Args:
            body: body of the reply, already decompressed.
        """
        if len(self._last) != len(self._secrets) or (self._last and self._last[-1] is not self._secrets[-1]):
            self._compile()
        for anchor in self._anchors:
            if anchor in body:
                return mask_values(found, self._keys)
        return found

    def _compile(self) -> None:
        self._last = tuple(self._secrets)
        known = [secret for secret in self._last if len(secret.reveal()) >= KEY and is_distinct(secret.reveal())]
        anchors = {form.anchor.encode() for secret in known for form in forms_of(secret.reveal(), SHORTEST)}
        self._keys = known
        self._anchors = tuple(a for a in anchors if not any(b in a for b in anchors if b != a))


def clean(text: str, limit: int = 200) -> str:
    """Make one short line of an external text that is safe for a terminal.

    Terminal escape sequences, control characters, bidirectional overrides and other invisible characters are removed. A
    run of white space becomes one space. A text longer than *limit* ends with an ellipsis.

    Args:
        limit: greatest number of characters, ≥ 1.
    """
    # Only the beginning can be shown, so the rest of an endless text is not processed.
    text = _ESCAPE.sub("", cut(text, 20 * limit))
    visible = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE
    )
    return cut(" ".join(visible.split()), limit)


def is_sensitive(name: str) -> bool:
    """Tell whether a query parameter or header of this name carries a credential.

    The name is split into words: `api-key`, `X-Amz-Signature` and `accessToken` do, `keyword` does not.
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.findall(r"[a-z]+", f"{apart} {name}".lower())
    return any(word in _WORDS or word.endswith(_ENDINGS) for word in words)


def _key(key: object, secrets: Sequence[Secret]) -> object:
    return mask_text(key, secrets, distinct=True) if isinstance(key, str) else key


def _mask_pair(pair: str) -> str:
    """Mask the value in `name=value`: because of its name, or as a URL with credentials."""
    name, equals, value = pair.partition("=")
    if not value:
        return pair
    if _names_secret(name):
        return f"{name}={MASK}"
    pieces = value.split(";")  # the older separator; it counts only before a sensitive name
    for place, piece in enumerate(pieces[1:], 1):
        inner, _, hidden = piece.partition("=")
        if hidden and _names_secret(inner):
            return f"{_mask_pair(name + equals + ';'.join(pieces[:place]))};{inner}={MASK}"
    decoded = unquote_plus(value)
    if "://" in decoded and (masked := mask_url(decoded)) != decoded:
        return f"{name}={quote(masked, safe='*')}"
    return pair


def _names_secret(parameter: str) -> bool:
    """Tell whether a query parameter, maybe percent-encoded, has a sensitive name."""
    for _ in range(_ENCODINGS):
        parameter = unquote_plus(parameter)
    return is_sensitive(parameter) or parameter.strip().lower() == "code"
