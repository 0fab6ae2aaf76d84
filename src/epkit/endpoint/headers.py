"""Request headers as users give them, checked before anything is sent."""

import re

from epkit.errors import UsageError

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def parse_header(text: str) -> tuple[str, str]:
    """Take `Name: value` apart.

    Returns:
        The name and the value without the white space around it; an empty value is sent empty.

    Raises:
        UsageError: no colon, or a name or value that HTTP cannot write. The message never shows the value.
    """
    name, colon, value = text.partition(":")
    if not colon:
        # What has no colon may be a lone credential.
        raise UsageError("-H: a header is written 'Name: value'; the one given has no colon")
    name, value = name.strip(), value.strip(" \t")
    problem = header_problem(name, value)
    if problem:
        raise UsageError(f"-H: {problem}")
    return name, value


def header_problem(name: str, value: str) -> str | None:
    """Say in a few words why a header cannot be sent, without its value; None where it can.

    Source: RFC 9110, sections 5.1 and 5.5.
    """
    if not _TOKEN.fullmatch(name):
        return "the name of a header holds only letters, digits and -_.!#$%&'*+^`|~"
    if any(ord(c) > 255 for c in value):
        return f"{name}: the value holds a character that HTTP cannot write (outside Latin-1)"
    if any((ord(c) < 32 and c != "\t") or 127 <= ord(c) < 160 for c in value):
        return f"{name}: the value holds a line break or another control character"
    return None
