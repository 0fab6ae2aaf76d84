r"""The forms that a secret takes in a text, and where a text holds one of them, in a time linear in the text.

Theory of operation. A secret is a row of units, a unit being one of its characters however encoders write it (`/`,
`%2F`, `\/`, `\u002f`, `&#47;`). Letters and digits are written as they are by every encoder: the longest row of them is
the secret's *anchor*, and a text without it is done with after one search for a substring. Else one regular expression
runs over the text. It never tries a position for longer than the secret is: repetitions are possessive, and a run of
backslashes is entered at its first one only.

A text that was shortened ends in an ellipsis (`epkit.core.shortening`), and may hold the beginning of a secret.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Final

from epkit.core.shortening import ELLIPSIS

PIECE: Final = 4
"""Characters of a secret that are too many to be shown."""

_LONGEST_UNIT: Final = 64
"""More characters than an encoder makes of one; nested encodings included, short of absurd ones."""

_ENTITIES: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_AGAIN: Final = {"%": "25", "&": "amp;"}
"""What follows a character with which escapes begin, once for each time that it was encoded."""
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
        anchor: is in every text that holds the form; empty where nothing is.
        units: regular expressions, one a character.
        before, behind: what goes with them where it is there.
    """

    anchor: str = field(repr=False)
    units: tuple[str, ...] = field(repr=False)
    before: str = ""
    behind: str = ""

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Give the places of the form, overlapping ones too."""
        if self.anchor in text:
            yield from (found.span(1) for found in self._pattern.finditer(text))

    def begun(self, text: str) -> Iterator[tuple[int, int]]:
        """Give the places where a text was cut in the middle of the form: from its beginning up to an ellipsis."""
        start, end = 0, text.find(ELLIPSIS)
        while end >= 0:
            start = max(start, end - _LONGEST_UNIT * len(self.units))
            for found in self._first.finditer(text, start, end):
                if self._goes_on(text, found.start(), end):
                    yield found.start(), end
                    break
            start, end = end + 1, text.find(ELLIPSIS, end + 1)

    def _goes_on(self, text: str, at: int, end: int) -> bool:
        """Tell whether the form begins at a place and goes on until *end*, where a unit itself may be cut."""
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
        # What is cut of a unit may begin as one that is whole: `%2` of `%25`.
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
        # Alone, or behind backslashes.
        again = {end: more for char, more in _AGAIN.items() for end in (_character(char), f"{_character(char)})")}
        known = {
            unit: (re.compile(unit), next((more for end, more in again.items() if unit.endswith(end)), ""))
            for unit in self.units
        }
        return tuple(known[unit] for unit in self.units)


def _ends(unit: re.Pattern[str], again: str, text: str, start: int, end: int) -> Iterator[int]:
    """Give where a unit may end: of `%` and `&`, with which escapes begin, in several places.

    Args:
        again: what follows such a character once for each time that it was encoded.
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
        shortest: parts of it that are shorter are left out.
    """
    found: dict[tuple[str, ...], Form] = {}
    for text in dict.fromkeys(_parts(secret)):
        if len(text) >= shortest:
            for form in (_plain(text), *_encoded(text.encode("utf-8", "surrogatepass"))):
                found.setdefault(form.units, form)
    return tuple(found.values())


def _parts(text: str) -> Iterator[str]:
    """Give a secret and what is secret in it: credentials without scheme, a password without its user."""
    yield text
    if stripped := text.strip():
        yield stripped
    yield " ".join(text.split())  # which `clean` makes of it
    if credentials := _CREDENTIALS.fullmatch(stripped):
        yield credentials.group(1)
        try:
            decoded = base64.b64decode(credentials.group(1), validate=True).decode()
        except ValueError:
            decoded = ""  # not base64, or not text: no user and no password to find
        yield decoded
        stripped = decoded
    yield stripped.partition(":")[2]


def _anchor(text: str) -> str:
    return max(_LITERAL.findall(text), key=len, default="")


def _plain(text: str) -> Form:
    units = [_unit(len(backslashes), char) for backslashes, char in _UNITS.findall(text) if backslashes or char]
    return Form(_anchor(text), tuple(units))


def _unit(backslashes: int, char: str) -> str:
    """Give a regular expression for a character, and for the backslashes before it: as many or more of them."""
    if not backslashes:
        return _character(char)
    run = rf"(?<!\\)\\{{{backslashes},}}+"
    encoded = rf"(?i:%(?:25)*+5c|{_RUN}(?:u005c|x5c)|&(?:amp;)*+#(?:92|x5c);){{{backslashes}}}"
    if not char:
        return f"(?:{run}|{encoded})"
    return f"(?:{run}(?:{_escapes(char)}|{_character(char)})|{encoded}{_character(char)})"


def _character(char: str) -> str:
    r"""Give a regular expression for a character, bare or escaped: `%2F`, `\/`, `\u002f`, `\x2f`, `&#47;`."""
    if char.isascii() and char.isalnum():
        return char  # no encoder touches these
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
    """Give a regular expression for what follows the backslash that escapes a character."""
    code = ord(char)
    utf16 = char.encode("utf-16-be", "surrogatepass")
    units = [f"u{utf16[i : i + 2].hex()}" for i in range(0, len(utf16), 2)]
    ways = [r"\\++".join(units), f"u{code:08x}", f"x{code:02x}"]
    if char in _SHORT:
        ways.append(_SHORT[char])
    return f"(?i:{'|'.join(ways)})"


def _encoded(secret: bytes) -> Iterator[Form]:
    """Give the forms that base64 makes of bytes that stand anywhere in a longer string.

    Its first and last characters depend on the neighbours too: those in between identify the secret, up
    to three before and one behind go with them.
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
