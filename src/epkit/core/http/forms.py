r"""The forms of a secret in a text, and their places in a text, in a time that is linear in the text.

Theory of operation. A secret is a sequence of units. A unit is one of its characters in any encoding (`/`, `%2F`, `\/`,
`\u002f`, `&#47;`). Every encoder leaves letters and digits unchanged. The longest sequence of them is the secret's
*anchor*: a text without it needs only one search for a substring. Otherwise one regular expression searches the text.
It never examines a position for longer than the secret is: repetitions are possessive, and a run of backslashes is
entered only at its first one.

A shortened text ends with an ellipsis (`epkit.core.shortening`), and may contain the beginning of a secret.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from epkit.core.shortening import ELLIPSIS

PIECE: Final = 4
"""This number of a secret's characters must not be shown."""

_LONGEST_UNIT: Final = 64
"""Greatest length of one encoded character, even in nested encodings, unless they are absurd."""

_ENTITIES: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_AGAIN: Final = {"%": "25", "&": "amp;"}
"""The text after a character that begins an escape, once for each time that the character was encoded."""
_SHORT: Final = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}
_RUN: Final = r"(?<!\\)\\++"
_UNITS: Final = re.compile(r"(\\*)([^\\]|\Z)", re.DOTALL)
_CREDENTIALS: Final = re.compile(r"[A-Za-z][\w.+-]*[ \t]+(\S.*)", re.DOTALL)
_LITERAL: Final = re.compile("[0-9A-Za-z]+")
_IN_BASE64: Final = "[A-Za-z0-9+/_-]"


@dataclass(frozen=True)
class Form:
    """One way to write a secret.

    Args:
        anchor: contained in every text with this form; may be empty.
        units: regular expressions, one for each character.
        before, behind: text next to the form that belongs to it.
    """

    anchor: str = field(repr=False)
    units: tuple[str, ...] = field(repr=False)
    before: str = ""
    behind: str = ""

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the places of the form, including overlapping ones."""
        if self.anchor in text:
            yield from (found.span(1) for found in self._pattern.finditer(text))

    def begun(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the places where a text is cut inside the form: from its beginning to an ellipsis."""
        start, end = 0, text.find(ELLIPSIS)
        while end >= 0:
            start = max(start, end - _LONGEST_UNIT * len(self.units))
            for found in self._first.finditer(text, start, end):
                if self._goes_on(text, found.start(), end):
                    yield found.start(), end
                    break
            start, end = end + 1, text.find(ELLIPSIS, end + 1)

    def _goes_on(self, text: str, at: int, end: int) -> bool:
        """Tell whether the form begins at a place and continues until *end*; the last unit may be cut."""
        before, here, count = set[int](), {at}, 0
        for unit, again in self._matchers:
            if end in here:
                break
            after = {place for start in here for place in _ends(unit, again, text, start, end)}
            if not after:
                break
            before, here, count = here, after, count + 1
        if count < PIECE:
            return False
        # The cut part of a unit may look like the beginning of a complete one: `%2` of `%25`.
        begun = (start for start in before | here if start < end and text[start] in "%&\\")
        return end in here or any(end - start < _LONGEST_UNIT and " " not in text[start:end] for start in begun)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(f"(?=({self.before}{''.join(self.units)}{self.behind}))")

    @cached_property
    def _first(self) -> re.Pattern[str]:
        return re.compile(f"(?={self.units[0]})")

    @cached_property
    def _matchers(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        # Without or after backslashes.
        again = {end: more for char, more in _AGAIN.items() for end in (_character(char), f"{_character(char)})")}
        known = {
            unit: (re.compile(unit), next((more for end, more in again.items() if unit.endswith(end)), ""))
            for unit in self.units
        }
        return tuple(known[unit] for unit in self.units)


def _ends(unit: re.Pattern[str], again: str, text: str, start: int, end: int) -> Iterator[int]:
    """Yield the possible ends of a unit; `%` and `&`, with which escapes begin, have several.

    Args:
        again: the text after such a character, once for each time that it was encoded.
    """
    found = unit.match(text, start, end)
    if found is None:
        return
    at = found.end()
    yield at
    while again and text.startswith(again, at, end) and at - start < _LONGEST_UNIT:
        at += len(again)
        yield at


@lru_cache(maxsize=1024)
def forms_of(secret: str, shortest: int) -> tuple[Form, ...]:
    """Return the forms of a secret.

    Args:
        shortest: shorter parts of it are left out.
    """
    found: dict[tuple[str, ...], Form] = {}
    for text in dict.fromkeys(_parts(secret)):
        if len(text) >= shortest:
            for form in (_plain(text), *_encoded(text.encode("utf-8", "surrogatepass"))):
                found.setdefault(form.units, form)
    return tuple(found.values())


def _parts(text: str) -> Iterator[str]:
    """Yield a secret and its secret parts: credentials without the scheme, a password without its user."""
    yield text
    if stripped := text.strip():
        yield stripped
    yield " ".join(text.split())  # the form that `clean` makes of it
    if credentials := _CREDENTIALS.fullmatch(stripped):
        yield credentials.group(1)
        try:
            decoded = base64.b64decode(credentials.group(1), validate=True).decode()
        except ValueError:
            decoded = ""  # not base64, or not text: there is no user and no password in it
        yield decoded
        stripped = decoded
    yield stripped.partition(":")[2]


def _anchor(text: str) -> str:
    return max(_LITERAL.findall(text), key=len, default="")


def _plain(text: str) -> Form:
    units = [_unit(len(backslashes), char) for backslashes, char in _UNITS.findall(text) if backslashes or char]
    return Form(_anchor(text), tuple(units))


def _unit(backslashes: int, char: str) -> str:
    """Return a regular expression for a character and at least this number of backslashes before it."""
    if not backslashes:
        return _character(char)
    run = rf"(?<!\\)\\{{{backslashes},}}+"
    encoded = rf"(?i:%(?:25)*+5c|{_RUN}(?:u005c|x5c)|&(?:amp;)*+#(?:92|x5c);){{{backslashes}}}"
    if not char:
        return f"(?:{run}|{encoded})"
    return f"(?:{run}(?:{_escapes(char)}|{_character(char)})|{encoded}{_character(char)})"


def _character(char: str) -> str:
    r"""Return a regular expression for a character, plain or escaped: `%2F`, `\/`, `\u002f`, `\x2f`, `&#47;`."""
    if char.isascii() and char.isalnum():
        return char  # encoders never change these
    code, bare = ord(char), re.escape(char)
    octets = [f"%(?:25)*+{octet:02x}" for octet in char.encode("utf-8", "surrogatepass")]
    ways = [
        "%(?:25)+" if char == "%" else "".join(octets),
        f"&(?:amp;)*+#(?:0*+{code}|x0*+{code:x});",
    ]
    if char == "&":
        ways.append("&(?:amp;)+")
    elif char in _ENTITIES:
        ways.append(f"&(?:amp;)*+{_ENTITIES[char]};")
    if char == " ":
        ways.append(r"\+")
    return f"(?:{bare}|{_RUN}(?:{bare}|{_escapes(char)})|(?i:{'|'.join(ways)}))"


def _escapes(char: str) -> str:
    """Return a regular expression for the text after the backslash that escapes a character."""
    code = ord(char)
    utf16 = char.encode("utf-16-be", "surrogatepass")
    units = [f"u{utf16[i : i + 2].hex()}" for i in range(0, len(utf16), 2)]
    ways = [r"\\++".join(units), f"u{code:08x}", f"x{code:02x}"]
    if char in _SHORT:
        ways.append(_SHORT[char])
    return f"(?i:{'|'.join(ways)})"


def _encoded(secret: bytes) -> Iterator[Form]:
    """Yield the base64 forms of bytes that are anywhere in a longer string.

    The first and last characters also depend on the neighbours. The characters in between identify the secret; up to
    three characters before them and one after them belong to it.
    """
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + secret).decode()
        lead = -(-offset * 8 // 6)
        core = encoded[lead : (offset + len(secret)) * 8 // 6]
        marks = {"+": "(?:[+-]|%(?:25)*+2[bB])", "/": rf"(?:/|_|{_RUN}/|%(?:25)*+2[fF])"}
        yield Form(
            _anchor(core),
            tuple(marks.get(char, char) for char in core),
            f"{_IN_BASE64}{{0,{lead}}}",
            f"{_IN_BASE64}?(?:=|%(?:25)*+3[dD]){{0,2}}",
        )
