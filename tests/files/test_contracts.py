"""Contracts are read from files."""

from pathlib import Path

import pytest

from epkit.errors import UsageError
from epkit.files.contracts import load

DOCUMENT = b'{"swagger": "2.0", "paths": {"/score": {"post": {"responses": {}}}}}'


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(DOCUMENT)

    assert ["/score"] * 2 == [load(tmp_path / "a.json").path, load(str(tmp_path / "a.json")).path]


def test_a_fault_is_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"swagger": "2.0"}')

    with pytest.raises(UsageError, match=r"^mine: /paths: the contract has no paths$"):
        load(tmp_path / "a.json", name="mine")


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / name)


def test_a_file_without_end_is_not_read_to_it() -> None:
    with pytest.raises(UsageError, match=r"^/dev/zero: over 16,777,216 bytes, but a contract has 16,777,216 at most: "):
        load("/dev/zero")
