"""The part of a target's reply that the page gets: the body without credentials, and the headers that explain it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from epkit.core.http.masking import mask_text
from epkit.core.http.secret import Secret
from epkit.core.replies.judging import unpack

MOST_BYTES: Final = 4 << 20
"""Greatest size of a body: a browser shows more than this only slowly."""

_NAMES: Final = frozenset({"retry-after", "x-request-id"})
_PREFIXES: Final = ("x-ms-", "azureml-", "ms-azureml")
_SHOWN_AS_THEY_ARE: Final = ("application/json", "text/plain", "text/csv", "image/png", "image/jpeg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relayed:
    """A reply for the page.

    Args:
        headers: names in lower case, values that Latin-1 can represent.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class UnshownError(ValueError):
    """A reply cannot be shown; the message has the reason."""


def relay(status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]) -> Relayed:
    """Make the reply for the page from that of the target.

    Cookies, challenges and redirects are left out, and everything that a browser would run.

    Args:
        status: status of the final reply, 200 to 599.
        headers: names in lower case.
        body: as received, still with its content coding.
        secrets: they are masked in any form in which the reply contains them.

    Raises:
        UnshownError: the body is too large, or cannot be decompressed.
    """
    secrets = tuple(secrets)
    try:
        plain = unpack(headers.get("content-encoding", ""), body)
    except ValueError as error:
        raise UnshownError(str(error)) from None
    if len(plain) > MOST_BYTES:
        raise UnshownError(f"the reply has {len(plain):,} bytes: a page shows at most {MOST_BYTES:,}")
    kept = [
        (name, mask_text(value, secrets))
        for name, value in headers.items()
        if name in _NAMES or name.startswith(_PREFIXES)
    ]
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if not (kind in _SHOWN_AS_THEY_ARE or (kind.startswith("application/") and kind.endswith("+json"))):
        kind = "text/plain"
    if plain:
        kept.append(("content-type", f"{kind}; charset=utf-8" if kind.startswith("text/") else kind))
    return Relayed(status=status, headers=tuple(kept), body=_masked(plain, secrets))


def _masked(body: bytes, secrets: Iterable[Secret]) -> bytes:
    text = body.decode("utf-8", "surrogateescape")
    return mask_text(text, secrets).encode("utf-8", "surrogateescape")
