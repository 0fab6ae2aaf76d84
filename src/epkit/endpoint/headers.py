"""Request headers from the user, checked before anything is sent."""

import re
from typing import Final

from epkit.core.http.masking import is_sensitive
from epkit.errors import UsageError

FRAMING: Final = {
    "content-length": "epkit counts the body itself: leave this header out",
    "transfer-encoding": "epkit sends every body with its length: leave this header out",
    "trailer": "epkit sends no trailers: leave this header out",
    "te": "epkit takes no trailers: leave this header out",
    "upgrade": "epkit speaks HTTP on every connection: leave this header out",
    "expect": "epkit sends a body at once and waits for no 100: leave this header out",
}
"""Headers that define the framing of a message, or the use of its connection. Such a header from the user contradicts
the message that is sent: the server waits for a missing body, or takes the next request for the rest of this one."""

OWN: Final = frozenset({
    *("host", "connection", "keep-alive", "proxy-connection", "user-agent", "accept", "accept-encoding"),
    *("content-type", "content-encoding", "azureml-model-deployment"),
})  # fmt: skip
"""Headers with another meaning; epkit or the user gives their values."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def parse_header(text: str) -> tuple[str, str]:
    """Split `Name: value`.

    Returns:
        The name and the value without surrounding white space; an empty value is sent empty.

    Raises:
        UsageError: no colon, or a name or value that HTTP cannot represent. The message never shows the value.
    """
    name, colon, value = text.partition(":")
    if not colon:
        # A text without a colon may be only a credential.
        raise UsageError("-H: a header is written 'Name: value'; the one given has no colon")
    name, value = name.strip(), value.strip(" \t")
    problem = header_problem(name, value)
    if problem:
        raise UsageError(f"-H: {problem}")
    return name, value


def header_problem(name: str, value: str) -> str | None:
    """Return a short reason why a header cannot be sent, without its value; None if it can be sent.

    Source: RFC 9110, sections 5.1 and 5.5; for framing RFC 9112, section 6.
    """
    if not _TOKEN.fullmatch(name):
        return "the name of a header holds only letters, digits and -_.!#$%&'*+^`|~"
    if any(ord(c) > 255 for c in value):
        return f"{name}: the value holds a character that HTTP cannot write (outside Latin-1)"
    if any((ord(c) < 32 and c != "\t") or 127 <= ord(c) < 160 for c in value):
        return f"{name}: the value holds a line break or another control character"
    lower = name.lower()
    if lower in FRAMING:
        return f"{name}: {FRAMING[lower]}"
    if lower == "connection" and value.lower() not in ("close", "keep-alive"):
        return f"{name}: may be close or keep-alive; other options are about a connection that is epkit's own"
    return None


def check_id_header(name: str) -> None:
    """Refuse a header in which no id can be sent.

    Raises:
        UsageError: it is not the name of a header, or the header has another meaning or carries credentials.
    """
    problem = header_problem(name, "")
    if problem is None and name.lower() in OWN:
        problem = f"{name} has another meaning and cannot carry an id: use x-request-id"
    if problem is None and is_sensitive(name):
        problem = f"{name}: its name marks it as a credential, so reports would mask the id: use x-request-id"
    if problem is not None:
        raise UsageError(f"--request-ids={name}: {problem.removeprefix(f'{name}: ')}")
