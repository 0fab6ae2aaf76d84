"""Headers are taken as curl and ab take them; a message about one never shows its value."""

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
        (f"a: {CANARY}€", "-H: a: the value holds a character that HTTP cannot write (outside Latin-1)"),
    ],
)
def test_a_header_that_http_cannot_write_is_refused(text, message):
    with pytest.raises(UsageError) as caught:
        parse_header(text)

    assert message == str(caught.value)
