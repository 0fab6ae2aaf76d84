"""Files that are read completely have a size limit for their kind."""

import io
import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from epkit.errors import UsageError
from epkit.reading import KEY, FileBound, read_whole

SMALL = FileBound(what="a note", most_bytes=8, advice="write less")


def refused(file: Path | io.BytesIO) -> str:
    with pytest.raises(UsageError) as raised:
        read_whole(file, SMALL, name="x")
    return str(raised.value)


def test_what_fits_is_read_to_its_last_byte(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345678")

    assert b"12345678" == read_whole(path, SMALL, name="x") == read_whole(io.BytesIO(b"12345678"), SMALL, name="x")


def test_a_larger_file_is_refused_with_its_size_the_bound_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "x"
    with path.open("wb") as file:
        file.truncate(5_000_000_000)

    assert "x: 5,000,000,000 bytes, but a note has 8 at most: write less" == refused(path)


def test_a_stream_a_device_and_a_pipe_are_read_up_to_the_bound(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(b"123456789"))
    writer.start()
    words = "x: over 8 bytes, but a note has 8 at most: write less"

    assert [words] * 3 == [refused(io.BytesIO(b"123456789")), refused(Path("/dev/zero")), refused(pipe)]
    writer.join(8)


def test_a_device_without_end_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="name the file that holds the key alone"):
            read_whole(Path("/dev/zero"), KEY, name="x")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 1 << 20


def test_why_a_file_cannot_be_read_is_for_the_caller_to_say(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "none", SMALL, name="x")
