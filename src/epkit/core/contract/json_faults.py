"""Where and why a text is not JSON, in the same words on every Python."""

import json
import re
from typing import Final, NamedTuple

_REST: Final = re.compile(r"[ \t\r\n]*(.)?", re.DOTALL)


class JsonFault(NamedTuple):
    """What the standard library's parser stumbled over.

    Args:
        words: its message.
        position: in characters from 0; `line` and `column` from 1.
    """

    words: str
    position: int
    line: int
    column: int


def fault(error: json.JSONDecodeError) -> JsonFault:
    """Read a decoder's error.

    Source: Python 3.13 calls a comma before a closing bracket illegal where it stands; before, the bracket was not
    what had been expected. The bracket is told, as there may be lines between the two.
    """
    words, position, text = error.msg, error.pos, error.doc
    if words.startswith("Illegal trailing comma"):
        found = _REST.match(text, position + 1)
        position = found.start(1) if found is not None and found[1] else position
        in_array = text[position : position + 1] == "]"
        words = "Expecting value" if in_array else "Expecting property name enclosed in double quotes"
    return JsonFault(words, position, text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))
