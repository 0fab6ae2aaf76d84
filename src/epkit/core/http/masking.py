"""Masks: what replaces keys, tokens, cookies and passwords before anything is printed, logged or saved.

`clean` makes foreign text harmless to a terminal. `mask_url` and `mask_header` know by the *name* of a part that it
is a credential; `mask_text` knows the secrets themselves and finds them in any text, in any of the forms that
encoders make of them.
"""

import base64
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, unquote_plus

from epkit.core.http.secret import Secret

MASK: Final = "***"

SHORTEST: Final = 4
"""Shorter secrets are not looked for in texts: the mask would eat the text and tell where they stood."""

_WORDS: Final = (
    *("auth", "authorization", "bearer", "cookie", "credentials", "jwt", "pass", "passphrase", "pwd", "sas"),
    *("keys", "passwords", "secrets", "session", "sessionid", "sid", "sig"),
)
_ENDINGS: Final = ("key", "token", "secret", "password", "passwd", "signature", "credential")
_ENTITIES: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_SHORT: Final = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}
_LOCATIONS: Final = (
    "location",
    "content-location",
    "operation-location",
    "azure-asyncoperation",
    "referer",
    "link",
)
_SCHEME = re.compile(r"(Bearer|Basic)[ \t]+\S", re.IGNORECASE)
_CREDENTIALS = re.compile(r"[A-Za-z][\w.+-]*[ \t]+(\S.*)", re.DOTALL)
_RUNS = re.compile(r"\\+|[^\\]", re.DOTALL)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s<>\"']+")
_AUTHORITY = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*:[/\\]*|//)?"
    r"([^/?#]*@|[^/?#@\[:]*:(?!\d*(?:[/?#]|$)).*@)?",  # after a colon: no port, so a password
    re.DOTALL,
)
# CSI, OSC (ended by BEL or ST) and two-byte escapes of ECMA-48.
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?|\x9b[0-?]*[ -/]*[@-~]")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def mask_url(url: str) -> str:
    """Mask the credentials in a URL: userinfo, and query values that go by a secret's name.

    Args:
        url: absolute or not, well-formed or not; names may be percent-encoded.

    Returns:
        The same URL to the letter, but for `***` where a credential stood.
    """
    authority = _AUTHORITY.match(url)
    assert authority is not None  # every part of the pattern is optional
    lead, userinfo = authority.group(1) or "", authority.group(2)
    rest = url[authority.end() :]
    parts = re.split(r"([?#&])", rest)
    masked = [part if i == 0 or part in "?#&" else _mask_pair(part) for i, part in enumerate(parts)]
    return lead + (f"{MASK}@" if userinfo else "") + "".join(masked)


def mask_header(name: str, value: str) -> str:
    """Mask the value of a header, if the header is one that carries credentials.

    Args:
        name: in any case.
        value: as sent or received.

    Returns:
        `Bearer ***` or `Basic ***` for credentials of these schemes, `***` for other credentials, cookies and
        keys; any other value with the URLs in it masked.
    """
    lower = name.strip().lower()
    if is_sensitive(lower):
        scheme = _SCHEME.match(value.strip()) if lower.endswith("authorization") else None
        return f"{scheme.group(1)} {MASK}" if scheme else MASK
    if lower in _LOCATIONS and "://" not in value:
        return mask_url(value)
    return _URL.sub(lambda found: mask_url(found.group()), value)


def mask_text(text: str, secrets: Iterable[Secret]) -> str:
    """Replace every secret in a text, however it is written there.

    Args:
        secrets: looked for as they are; with characters percent-encoded, JSON-, Python- or HTML-escaped, also
            twice over; in base64, alone or as a part of what was encoded (`user:password` of Basic). Of
            `Bearer x` and `Basic x`, x is looked for too, of `user:password` also the password. Secrets
            shorter than `SHORTEST` are not looked for.

    Returns:
        The text with `***` for each stretch that belonged to a secret; none of the secrets is in it.
    """
    patterns = [re.compile(form) for form in dict.fromkeys(_forms(secrets))]
    while spans := sorted((found.start(1), found.end(1)) for pattern in patterns for found in pattern.finditer(text)):
        pieces: list[str] = []
        at = 0
        for start, end in spans:
            if start > at or not pieces:
                pieces += [text[at:start], MASK]
            at = max(at, end)
        text = "".join(pieces) + text[at:]  # what came together by this may be a secret again
    return text


def clean(text: str, limit: int = 200) -> str:
    """Make one short harmless line of a text from outside.

    Terminal escape sequences, control characters, bidirectional overrides and other invisible characters go;
    runs of white space become one space; what is longer than *limit* ends in an ellipsis.

    Args:
        limit: characters, ≥ 1.
    """
    # Only the beginning can be shown: an endless text is not worth walking through.
    text = _ESCAPE.sub("", text[: 20 * limit])
    visible = "".join(
        " " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE
    )
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def is_sensitive(name: str) -> bool:
    """Tell whether a query parameter or header of this name carries a credential.

    Names are taken apart into words: `api-key`, `X-Amz-Signature` and `accessToken` do, `keyword` does not.
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.findall(r"[a-z]+", f"{apart} {name}".lower())
    return any(word in _WORDS or word.endswith(_ENDINGS) for word in words)


def _mask_pair(pair: str) -> str:
    """Mask the value in `name=value`: for its name, or as a URL that has credentials itself."""
    name, equals, value = pair.partition("=")
    if not value:
        return pair
    plain = name
    while (decoded := unquote_plus(plain)) != plain:
        plain = decoded
    if is_sensitive(plain) or plain.strip().lower() == "code":
        return f"{name}={MASK}"
    inner, semicolon, more = value.partition(";")  # the older separator; only a secret's name makes it one
    if semicolon and _mask_pair(more) != more:
        return f"{name}{equals}{inner};{_mask_pair(more)}"
    decoded = unquote_plus(value)
    if "://" in decoded and (masked := mask_url(decoded)) != decoded:
        return f"{name}={quote(masked, safe='*')}"
    return pair


def _forms(secrets: Iterable[Secret]) -> Iterator[str]:
    """Give regular expressions that find the secrets in all their forms; group 1 is what to mask."""
    for secret in secrets:
        for text in _parts(secret.reveal()):
            if len(text) >= SHORTEST:
                runs = (_backslashes(len(run)) if run[0] == "\\" else _character(run) for run in _RUNS.findall(text))
                yield f"(?=({''.join(runs)}))"
                yield from _base64_forms(text.encode("utf-8", "surrogatepass"))


def _parts(text: str) -> Iterator[str]:
    """Give a secret and what is secret in it: credentials without scheme, a password without its user."""
    yield text
    if stripped := text.strip():
        yield stripped
    if credentials := _CREDENTIALS.fullmatch(stripped):
        yield credentials.group(1)
        try:
            decoded = base64.b64decode(credentials.group(1), validate=True).decode()
        except ValueError:
            decoded = ""  # not base64, or not text: no user and no password to find
        yield decoded
        stripped = decoded
    yield stripped.partition(":")[2]


def _character(char: str) -> str:
    r"""Give a regular expression for a character, bare or escaped: `%2F`, `\/`, `\u002f`, `\x2f`, `&#47;`."""
    if char.isascii() and char.isalnum():
        return char  # no encoder touches these
    code = ord(char)
    utf16 = char.encode("utf-16-be", "surrogatepass")
    units = [f"u{utf16[i : i + 2].hex()}" for i in range(0, len(utf16), 2)]
    ways = [
        "".join(f"%(?:25)*{byte:02x}" for byte in char.encode("utf-8", "surrogatepass")),
        f"&(?:amp;)*#(?:0*{code}|x0*{code:x});",
        r"\\+" + r"\\+".join(units),
        rf"\\+(?:u{code:08x}|x{code:02x})",
    ]
    if char in _ENTITIES:
        ways.append(f"&(?:amp;)*{_ENTITIES[char]};")
    if char in _SHORT:
        ways.append(rf"\\+{_SHORT[char]}")
    if char == " ":
        ways.append(r"\+")
    return rf"(?:\\*{re.escape(char)}|(?i:{'|'.join(ways)}))"


def _backslashes(count: int) -> str:
    """Give a regular expression for a run of backslashes: as many or more, as each escaping doubles them."""
    return (
        rf"(?:\\{{{count},}}|(?i:(?:%(?:25)*5c){{{count}}}|(?:\\+(?:u005c|x5c)){{{count}}}"
        rf"|(?:&(?:amp;)*#(?:92|x5c);){{{count}}}))"
    )


def _base64_forms(secret: bytes) -> Iterator[str]:
    """Give regular expressions for what base64 makes of bytes that stand anywhere in a longer string.

    Its first and last characters depend on the neighbours too: those in between identify the secret, up
    to three before and one behind go with them.
    """
    any_ = r"[A-Za-z0-9+/_-]"
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + secret).decode()
        lead = -(-offset * 8 // 6)
        core = encoded[lead : (offset + len(secret)) * 8 // 6]
        middle = "".join(
            {"+": r"(?:[+-]|%(?:25)*2[bB])", "/": r"(?:\\*/|_|%(?:25)*2[fF])"}.get(char, char) for char in core
        )
        yield rf"(?=({any_}{{0,{lead}}}{middle}{any_}?(?:=|%(?:25)*3[dD]){{0,2}}))"
