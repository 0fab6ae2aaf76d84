"""Text with other encodings and line ends is converted to UTF-8."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.errors import UsageError
from epkit.files import transcoding
from epkit.files.transcoding import encoding_of, needs, not_utf8, transcode

TEXT = "name,city\r\nJosé,Zürich\r\n"


def written(tmp_path, data: bytes, encoding: str, **more) -> bytes:
    (tmp_path / "t.csv").write_bytes(data)
    into = io.BytesIO()
    transcode(tmp_path / "t.csv", into, "t.csv", encoding, **more)
    return into.getvalue()


@pytest.mark.parametrize(
    ("data", "given_", "expected"),
    [
        (TEXT.encode(), None, None),
        (TEXT.encode("utf-8-sig"), None, None),
        (TEXT.encode("utf-16"), None, "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), None, "utf-16"),
        (TEXT.encode("utf-16-le"), None, "utf-16-le"),
        (TEXT.encode("utf-16-be"), None, "utf-16-be"),
        (TEXT.encode("utf-32"), None, "utf-32"),
        (b"a,b\n1,\0x\n2,y\0\n", None, None),
        (b"a,b\r1,2\r", None, "utf-8-sig"),
        (b"a,b\r", None, None),
        (TEXT.encode("cp1252"), "cp1252", "cp1252"),
        (TEXT.encode("cp1252"), "Latin1", "iso8859-1"),
        (TEXT.encode(), "UTF8", None),
        (b"", None, None),
    ],
)
def test_it_is_known_what_has_to_be_written_anew(tmp_path, data, given_, expected):
    (tmp_path / "t.csv").write_bytes(data)

    assert expected == needs(tmp_path / "t.csv", given_)


@given(st.text("aé€,\r\n\t😀", max_size=40), st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"]))
def test_every_text_comes_out_as_utf8_with_line_feeds_however_it_is_cut(tmp_path_factory, text, encoding):
    directory = tmp_path_factory.mktemp("t")
    expected = text.replace("\r\n", "\n").replace("\r", "\n").encode()
    for size in (1, 3, 1 << 20):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(transcoding, "PIECE_BYTES", size)
            assert expected == written(directory, text.encode(encoding), encoding)


def test_what_is_not_the_encoding_is_named_by_its_place(tmp_path, monkeypatch):
    for size in (1, 2, 1 << 20):
        monkeypatch.setattr(transcoding, "PIECE_BYTES", size)
        with pytest.raises(UsageError) as refused:
            written(tmp_path, b"a,b\r\n1,\x81\r\n", "cp1252")

        assert "t.csv:2:3: the byte 0x81 is not cp1252: name the right --encoding, or save the file as UTF-8" == str(
            refused.value
        )


def test_half_a_character_at_the_end_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"^t\.csv:1:2: "):
        written(tmp_path, "a,b".encode("utf-16-le")[:3], "utf-16-le")


def test_no_more_is_written_than_there_may_be(tmp_path):
    with pytest.raises(UsageError, match=r"t\.csv has more than 10 bytes"):
        written(tmp_path, b"x" * 11, "latin-1", most_bytes=10)


@pytest.mark.parametrize("encoding", ["", "nonsense", "zlib", "idna", "undefined", "unicode_escape", "a\0b", "é" * 99])
def test_an_encoding_that_is_none_is_refused_in_one_line(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes(b"a\n")
    with pytest.raises(UsageError, match=r"^--encoding .*: no encoding of text that Python knows: [^\n]*$"):
        needs(tmp_path / "t.csv", encoding)


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (b"\xe9t\xe9,1", 't.csv:4:3: the byte 0xE9 ("é" in cp1252) is not UTF-8: --encoding cp1252 reads such a file'),
        (b"\x80 5", 't.csv:4:3: the byte 0x80 ("€" in cp1252) is not UTF-8: --encoding cp1252 reads such a file'),
        (b"\xe9\x81", 't.csv:4:3: the byte 0xE9 ("é" in latin-1) is not UTF-8: --encoding latin-1 reads such a file'),
    ],
)
def test_a_byte_that_is_not_utf8_is_named_with_what_the_text_probably_is(rest, words):
    assert f"{words}, or save it as UTF-8" == str(not_utf8("t.csv", 4, "ü,".encode(), rest))


def test_zeros_alone_make_no_utf16():
    assert encoding_of(b"\0" * 100) is None
    assert encoding_of(b"abcd\0efgh") is None
