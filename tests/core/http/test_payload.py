"""A payload has a digest and a place, and its repr does not contain its rows."""

from epkit.core.http.payload import Payload


def test_the_digest_is_that_of_the_body():
    payload = Payload.of("x.json", b"{}")

    assert payload.sha256 == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert payload.file == "x.json"


def test_the_body_is_not_in_the_repr():
    assert "patient" not in repr(Payload.of("x.json", b'{"name": "patient"}'))


def test_a_line_of_a_file_knows_the_file():
    assert Payload.of("a.jsonl:7", b"{}", line=7).file == "a.jsonl"
