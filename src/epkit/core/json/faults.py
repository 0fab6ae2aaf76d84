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
"""What was probably meant: the first hint whose pattern fits where the parser stopped, and whose character is the last
one before that but for blanks (None: any, "": there is none)."""


class JsonFault(NamedTuple):
    """Why a text is not JSON.

    Args:
        text: what is wrong.
        line, column: where, from 1, the column in characters; 0 where no place is known.
        hint: what was probably meant, or what to do.
    """

    text: str
    line: int
    column: int
    hint: str | None = None

    @property
    def sentence(self) -> str:
        """What is wrong, with the hint."""
        return self.text if self.hint is None else f"{self.text}: {self.hint}"


def fault_at(text: str, position: int, why: str, hint: str | None = None) -> JsonFault:
    """Make the fault at a position of a text, in characters from 0."""
    line = text.count("\n", 0, position) + 1
    return JsonFault(why, line, position - text.rfind("\n", 0, position), hint)


def parser_fault(error: json.JSONDecodeError) -> JsonFault:
    """Read an error of the standard library's parser.

    Source: Python 3.13 calls a comma before a closing bracket illegal and points at the comma; before, the bracket
    was not what had been expected. The fault is at the bracket, as there may be lines between the two.
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
