"""A download of a table continues as long as data arrives."""

import threading
import time
from pathlib import Path

import pytest

from epkit.errors import UsageError
from epkit.files.fetching import WINDOW_BYTES, fetch

URL = "https://files.example/rows.csv?sig=secret"


def test_what_is_fetched_is_handed_on(tmp_path: Path) -> None:
    assert tmp_path / "rows.csv" == fetch(URL, tmp_path, by=lambda _, directory: directory / "rows.csv")


def test_why_it_cannot_be_fetched_is_raised(tmp_path: Path) -> None:
    def broken(_url: str, _directory: Path) -> Path:
        raise UsageError("no such file")

    with pytest.raises(UsageError, match=r"^no such file$"):
        fetch(URL, tmp_path, by=broken)


@pytest.mark.parametrize("piece", [0, 1])
def test_a_server_that_hangs_or_drips_is_given_up(tmp_path: Path, piece: int) -> None:
    over = threading.Event()

    def slow(_url: str, directory: Path) -> Path:
        with (directory / "rows.csv").open("wb", buffering=0) as file:
            while not over.wait(0.02):
                file.write(b"x" * piece)
        return directory

    began = time.monotonic()
    with pytest.raises(UsageError) as raised:
        fetch(URL, tmp_path, by=slow, window_s=0.3)
    over.set()

    assert 0.3 <= time.monotonic() - began < 4
    assert str(raised.value).startswith("https://files.example/rows.csv?sig=***: given up after ")
    assert "under 64 KiB came in 0.3 s: fetch it by other means, and name the file" in str(raised.value)


def test_a_large_table_may_take_many_windows(tmp_path: Path) -> None:
    def steady(_url: str, directory: Path) -> Path:
        with (directory / "rows.csv").open("wb", buffering=0) as file:
            for _ in range(12):
                time.sleep(0.1)
                file.write(bytes(WINDOW_BYTES))
        return directory / "rows.csv"

    there = fetch(URL, tmp_path, by=steady, window_s=0.5)

    assert 12 * WINDOW_BYTES == there.stat().st_size
