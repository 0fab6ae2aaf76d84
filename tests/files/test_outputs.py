"""Outputs of a command are checked before a run and written after it; an error is one line."""

import os
import sys
from pathlib import Path

import pytest

from epkit.errors import UsageError
from epkit.files.outputs import check_directory, check_writable, write

needs_permissions = pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="nothing is forbidden to root"
)
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.mark.parametrize("exists", [True, False])
def test_a_file_that_can_be_written_is_fine_and_left_alone(exists: bool, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    if exists:
        path.write_text("old")
    check_writable(str(path), "-e")

    assert ["old"] * exists == [file.read_text() for file in tmp_path.iterdir()]


def test_a_name_without_a_directory_is_in_the_working_directory(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable("out.csv", "-e")
    write("out.csv", "1", "-e")

    assert "1" == (tmp_path / "out.csv").read_text()


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^-g .* is a directory$"):
        check_writable(str(tmp_path), "-g")
    with pytest.raises(UsageError, match=r"^-g .* is a directory$"):
        write(str(tmp_path), "", "-g")


def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"

    with pytest.raises(UsageError, match=r"^-e .*: there is no directory .*missing$"):
        check_writable(str(missing / "out.csv"), "-e")
    with pytest.raises(UsageError, match=r"^-e .*out\.csv: no such file or directory$"):
        write(str(missing / "out.csv"), "", "-e")


@pytest.mark.parametrize("locked", ["file", "directory"])
def test_what_is_forbidden_is_known_beforehand(locked: str, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "out.csv"
    if locked == "file":
        path.touch()
    asked = []
    monkeypatch.setattr(os, "access", lambda target, mode: asked.append((Path(target), mode)))

    with pytest.raises(UsageError, match=r"^-e .*out\.csv: permission denied$"):
        check_writable(str(path), "-e")
    assert [(path if locked == "file" else tmp_path, os.W_OK)] == asked


@needs_permissions
def test_what_the_system_forbids_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="permission denied"):
            check_writable(str(tmp_path / "out.csv"), "-e")
    finally:
        tmp_path.chmod(0o700)


def test_text_is_written_to_the_letter(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    write(str(path), "ü\r\n\n", "-e")
    write(str(path), "ö\r\n\n", "-e")

    assert "ö\r\n\n".encode() == path.read_bytes()


@full
def test_a_full_disk_is_one_line() -> None:
    with pytest.raises(
        UsageError, match=r"^-e /dev/full: no space left on device: make room there, or name another place$"
    ):
        write("/dev/full", "text", "-e")


def test_a_directory_is_made_and_written_into(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    check_directory(str(directory), "--keep-failures")
    for text in ("one", "again"):
        write(str(directory / "status-500.txt"), text, "--keep-failures")

        assert text == (directory / "status-500.txt").read_text()


def test_a_file_in_the_place_of_a_directory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").touch()

    with pytest.raises(UsageError, match=r"^--keep-failures .*a is not a directory$"):
        check_directory(str(tmp_path / "a"), "--keep-failures")
