import os

import pytest

from epkit.bank.serve import MALFORMED, REFUSED, gate, read_line

KEY = b"canary-key"


def answer(path, authorization=None):
    """Return the gate's answer: the status, or `passed`."""
    said = []

    def app(_environ, _start_response):
        said.append("passed")
        return [b""]

    environ = {"PATH_INFO": path} | ({} if authorization is None else {"HTTP_AUTHORIZATION": authorization})
    body = b"".join(gate(app, KEY)(environ, lambda status, headers: said.append((status, dict(headers)))))
    return said[0], body


@pytest.mark.parametrize("path", ["/score", "/swagger.json", "/nope", "//", ""])
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Bearer canary-ke", "Bearer canary-keyy", "bearer é"])
def test_a_missing_or_wrong_key_is_401(path, header):
    (status, headers), body = answer(path, header)

    assert (status, body) == ("401 Unauthorized", REFUSED)
    assert str(len(REFUSED)) == headers["Content-Length"]


@pytest.mark.parametrize("header", ["canary-key", "Basic canary-key", "Bearer", "Bearer ", "Bearercanary-key", " "])
def test_a_malformed_header_is_400_in_azures_words(header):
    (status, _), body = answer("/score", header)

    assert (status, body) == ("400 Bad Request", MALFORMED)
    assert len(body) == 96


@pytest.mark.parametrize("path", ["/score", "/swagger.json"])
@pytest.mark.parametrize("header", ["Bearer canary-key", "bearer canary-key", "Bearer  canary-key "])
def test_the_right_key_passes(path, header):
    said, _ = answer(path, header)

    assert said == "passed"


@pytest.mark.parametrize("header", [None, "Bearer wrong", "nonsense"])
def test_health_needs_no_key(header):
    said, _ = answer("/", header)

    assert said == "passed"


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [([b"key\n"], b"key"), ([b"k", b"ey\n"], b"key"), ([b"half a li"], b""), ([], b"")],
)
def test_a_line_is_read_to_its_end_or_not_at_all(pieces, expected):
    read, write = os.pipe()
    for piece in pieces:
        os.write(write, piece)
    os.close(write)
    try:
        line = read_line(read)
    finally:
        os.close(read)

    assert expected == line
