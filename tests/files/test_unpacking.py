"""Compressed tables are decompressed completely, or refused in one line."""

import gzip
import io

import pytest

from epkit.errors import UsageError
from epkit.files.unpacking import is_packed, unpack

TEXT = b"a,b\n1,2\n" * 1000


@pytest.fixture
def packed(tmp_path):
    """A file that contains `TEXT`."""
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(TEXT))
    return path


def test_what_it_holds_is_written_out(packed):
    into = io.BytesIO()
    unpack(packed, into, "rows.csv.gz")

    assert TEXT == into.getvalue()


def test_several_members_are_one_file(packed):
    packed.write_bytes(packed.read_bytes() * 2)
    into = io.BytesIO()
    unpack(packed, into, "rows.csv.gz")

    assert TEXT * 2 == into.getvalue()


def test_it_is_known_by_how_it_begins(packed, tmp_path):
    bare = tmp_path / "bare.csv.gz"
    bare.write_bytes(TEXT)

    assert (True, False) == (is_packed(packed), is_packed(bare))


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-9],
        lambda data: data[:20] + b"\0" + data[21:],
        lambda data: data + b"more",
        lambda data: data[:2],
    ],
    ids=["cut off", "flipped", "garbage behind", "two bytes"],
)
def test_a_damaged_file_is_refused_in_a_line(packed, damage):
    packed.write_bytes(damage(packed.read_bytes()))

    with pytest.raises(UsageError, match=r"^rows\.csv\.gz: the compressed file is damaged or cut off: ") as raised:
        unpack(packed, io.BytesIO(), "rows.csv.gz")
    assert 1 == len(str(raised.value).splitlines())


def test_it_is_bounded(packed):
    with pytest.raises(UsageError, match=r"^rows\.csv\.gz: unpacks to more than 4,000 bytes: unpack it yourself$"):
        unpack(packed, io.BytesIO(), "rows.csv.gz", most_bytes=4000)
