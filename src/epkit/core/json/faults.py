"""Reports where and why a text is not JSON, in the same words for every command and Python version."""

import json
import re
from typing import Final, NamedTuple

_REST: Final = re.compile(r"[ \t\r\n]*(.)?", re.DOTALL)

_HINTS: Final = (
    (r"\s*\Z", None, "the text ends here"),
    (r"'", None, "JSON writes text in double quotes"),
    (r"//|/\*|#", None, "JSON has no comments"),
    (r"True|False|None", None, "JSON writes true, false and null"),
    (r"[\]}]", ",", "no comma before the closing bracket"),
    (r"<", "", "this is HTML or XML"),
    (r"[\0-\x08]", "", "this is binary, not a text"),
)
"""Pattern, character and hint. The first entry is used whose pattern matches where the parser stopped, and whose
character is the last one before that place, blanks ignored (None: any character; "": there is no character)."""


class JsonFault(NamedTuple):
    """Why a text is not JSON.

    Args:
        text: the fault.
        line, column: its place, from 1, the column in characters; 0 if the place is not known.
        hint: what was probably meant, or what to do.
    """

    text: str
    line: int
    column: int
    hint: str | None = None

    @property
    def sentence(self) -> str:
        """The fault, with the hint."""
        return self.text if self.hint is None else f"{self.text}: {self.hint}"


def fault_at(text: str, position: int, why: str, hint: str | None = None) -> JsonFault:
    """Make the fault for a position in a text, in characters from 0."""
    line = text.count("\n", 0, position) + 1
    return JsonFault(why, line, position - text.rfind("\n", 0, position), hint)


def parser_fault(error: json.JSONDecodeError) -> JsonFault:
    """Make the fault from an error of the standard library's parser.

    Source: for a comma before a closing bracket, Python 3.13 says that the comma is illegal, and points at it. Earlier
    versions say that the bracket is not expected. Here the fault is at the bracket, because there may be lines between
    the two.
    """
    words, position, text = error.msg, error.pos, error.doc
    if words.startswith("Illegal trailing comma"):
        found = _REST.match(text, position + 1)
        position = found.start(1) if found is not None and found[1] else position
        in_array = text[position : position + 1] == "]"
        words = "Expecting value" if in_array else "Expecting property name enclosed in double quotes"
    words = words.removesuffix(":").removesuffix(" at").removesuffix(" starting").rstrip(": ")
    return fault_at(text, position, f"not JSON: {words[:1].lower()}{words[1:]}", _hint(text, position))


def _hint(text: str, position: int) -> str | None:
    last = text[:position].rstrip()[-1:]
    for pattern, before, hint in _HINTS:
        if before in (None, last) and re.compile(pattern).match(text, position):
            return hint
    return None
