"""Headers have the syntax of curl and ab; a message about a header never shows its value."""

import pytest

from epkit.endpoint.headers import parse_header
from epkit.errors import UsageError

CANARY = "c4naryK3y"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer x", ("Authorization", "Bearer x")),
        ("x-team:risk ", ("x-team", "risk")),
        ("a: b:c", ("a", "b:c")),
        ("empty:", ("empty", "")),
        ("Connection: Close", ("Connection", "Close")),
        ("connection: keep-alive", ("connection", "keep-alive")),
        ("latin: é\t1", ("latin", "é\t1")),
    ],
)
def test_a_header_falls_into_name_and_value(text, expected):
    assert expected == parse_header(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CANARY, "-H: a header is written 'Name: value'; the one given has no colon"),
        (f": {CANARY}", "-H: the name of a header holds only letters, digits and -_.!#$%&'*+^`|~"),
        (f"a b: {CANARY}", "-H: the name of a header holds only letters, digits and -_.!#$%&'*+^`|~"),
        (f"a: {CANARY}\r\nb: c", "-H: a: the value holds a line break or another control character"),
        (f"a: {CANARY}\x7f", "-H: a: the value holds a line break or another control character"),
        (
            f"Transfer-Encoding: {CANARY}",
            "-H: Transfer-Encoding: epkit sends every body with its length: leave this header out",
        ),
        (f"content-length: {CANARY}", "-H: content-length: epkit counts the body itself: leave this header out"),
        (f"TE: {CANARY}", "-H: TE: epkit takes no trailers: leave this header out"),
        (f"Trailer: {CANARY}", "-H: Trailer: epkit sends no trailers: leave this header out"),
        (f"Upgrade: {CANARY}", "-H: Upgrade: epkit speaks HTTP on every connection: leave this header out"),
        (f"Expect: {CANARY}", "-H: Expect: epkit sends a body at once and waits for no 100: leave this header out"),
        (
            f"Connection: close, {CANARY}",
            "-H: Connection: may be close or keep-alive; other options are about a connection that is epkit's own",
        ),
        (f"a: {CANARY}€", "-H: a: the value holds a character that HTTP cannot write (outside Latin-1)"),
    ],
)
def test_a_header_that_http_cannot_write_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        parse_header(text)

    assert message == str(caught.value)
