"""A copy has the complete directory in the state of one moment, or is not made; an error is one line."""

import os
import socket
import stat
from pathlib import Path

import pytest

from epkit.backends import copies
from epkit.backends.copies import copy_tree
from epkit.errors import UsageError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    (made / "deep/er").mkdir(parents=True)
    (made / "model.npz").write_bytes(bytes(range(256)) * 9000)
    (made / "deep/er/card.json").write_text("{}")
    (made / "run.sh").write_text("#!/bin/sh\n")
    (made / "run.sh").chmod(0o755)
    (made / "empty").touch()
    return made


def tree(directory: Path) -> dict[str, bytes | None]:
    return {
        path.relative_to(directory).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in sorted(directory.rglob("*"))
    }


def refused(source: Path, selection: copies.Selection = "all") -> str:
    with pytest.raises(UsageError) as caught:
        copy_tree(source, source.parent / "copy", selection)
    return str(caught.value)


def test_a_copy_holds_what_the_directory_holds_and_its_files_are_read_only(source: Path, tmp_path: Path):
    copy_tree(source, tmp_path / "copy")

    assert tree(source) == tree(tmp_path / "copy")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "copy").rglob("*")}
    assert {
        "model.npz": 0o400,
        "card.json": 0o400,
        "run.sh": 0o500,
        "empty": 0o400,
        "deep": 0o700,
        "er": 0o700,
    } == modes


def test_the_hash_is_of_names_and_contents_and_of_nothing_else(source: Path, tmp_path: Path):
    before = copy_tree(source, tmp_path / "one")
    os.utime(source / "empty", (1, 1))
    (source / "__pycache__").mkdir()
    (source / "__pycache__/score.cpython-311.pyc").touch()

    assert before == copy_tree(source, tmp_path / "two")
    assert not (tmp_path / "two/__pycache__").exists()
    (source / "empty").rename(source / "empty2")
    renamed = copy_tree(source, tmp_path / "three")
    (source / "empty2").write_text("x")
    assert 3 == len({before, renamed, copy_tree(source, tmp_path / "four")})


def test_a_single_file_is_copied(source: Path, tmp_path: Path):
    copy_tree(source / "model.npz", tmp_path / "copy.npz")

    assert (source / "model.npz").read_bytes() == (tmp_path / "copy.npz").read_bytes()


def test_links_inside_the_directory_become_what_they_lead_to(source: Path, tmp_path: Path):
    (source / "latest.npz").symlink_to("model.npz")
    (source / "there").symlink_to(source / "deep")
    copy_tree(source, tmp_path / "copy")

    assert tree(source) | {"there/er": None, "there/er/card.json": b"{}"} == tree(tmp_path / "copy")
    assert not any(path.is_symlink() for path in (tmp_path / "copy").rglob("*"))


@pytest.mark.parametrize(
    ("leads_to", "said"),
    [
        ("../secret", "model/deep/link: a link out of the directory, to "),
        ("/etc/passwd", "model/deep/link: a link out of the directory, to /etc/passwd: put a copy in its place "),
        ("nowhere", "model/deep/link: a link that leads nowhere: take it out"),
        ("link", "model/deep/link: a link that leads nowhere: take it out"),
        (".", "model/deep/link: a link to a directory above it: take it out"),
        ("..", "model/deep/link: a link to a directory above it: take it out"),
    ],
)
def test_other_links_are_refused(source: Path, tmp_path: Path, leads_to: str, said: str):
    (tmp_path / "secret").touch()
    (source / "deep/link").symlink_to(f"../{leads_to}" if leads_to == "../secret" else leads_to)

    assert f"{tmp_path}/{said}" in refused(source)


def test_what_is_no_file_is_refused_and_not_waited_for(source: Path):
    os.mkfifo(source / "pipe")
    assert f"{source}/pipe: neither a file nor a directory: take it out" == refused(source)
    (source / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as listener, pytest.MonkeyPatch.context() as patch:
        patch.chdir(source)  # the name of a socket must be short
        listener.bind("socket")
        assert f"{source}/socket: neither a file nor a directory: take it out" == refused(source)


def test_what_cannot_be_read_is_said(source: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root can read everything

    assert refused(source).endswith(": cannot be read: permission denied")


def test_more_than_a_machine_holds_is_refused_before_it_is_read(source: Path, monkeypatch: pytest.MonkeyPatch):
    with (source / "huge").open("wb") as file:
        file.truncate(copies.MOST_BYTES)
    assert f"{source}: over 100.0 GB, and 100 GB are copied at most: name the directory that holds the model alone" == (
        refused(source)
    )
    (source / "huge").unlink()
    monkeypatch.setattr(copies, "MOST_FILES", 5)
    assert f"{source}: over 5 files, and 5 are copied at most: name the directory that holds the model alone" == (
        refused(source)
    )


@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten", "goes", "comes", "becomes a FIFO"])
def test_a_directory_that_changes_meanwhile_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch, change: str):
    file = source / "model.npz"
    real, done = copies._copy_file, []

    def copy_file(entry: copies._Entry, destination: Path) -> bytes:
        if not done:
            done.append(change)
            match change:
                case "grows":
                    with file.open("ab") as opened:
                        opened.write(b"x")
                case "shrinks":
                    os.truncate(file, 7)
                case "is rewritten":
                    file.write_bytes(file.read_bytes()[::-1])
                    os.utime(file, ns=(1, 1))
                case "goes":
                    file.unlink()
                case "comes":
                    (source / "model.npz2").touch()
                case _:
                    file.unlink()
                    os.mkfifo(file)
        return real(entry, destination)

    monkeypatch.setattr(copies, "_copy_file", copy_file)

    said = refused(source)
    expected = {"comes": "model.npz2: changed", "becomes a FIFO": "model.npz: changed"}.get(
        change, "model.npz: changed"
    )
    assert f"{source}/{expected} while it was copied: wait until it is written, and try again" == said


def test_a_directory_that_holds_the_copies_is_refused(source: Path):
    with pytest.raises(UsageError, match="holds the directory that epkit keeps endpoints in"):
        copy_tree(source, source / "deep/copy")


def test_a_copy_that_finds_no_room_is_an_error_of_the_system_before_it_is_begun(source: Path, tmp_path: Path):
    with (source / "huge").open("wb") as file:
        file.truncate(copies.MOST_BYTES - 10**8)  # a sparse file
    free = os.statvfs(tmp_path)
    if free.f_bavail * free.f_frsize > copies.MOST_BYTES:
        pytest.skip("this disk has room for 100 GB")
    with pytest.raises(OSError, match="No space left on device"):
        copy_tree(source, tmp_path / "copy")

    assert not (tmp_path / "copy").exists()


def test_of_the_current_directory_only_what_python_imports_is_taken(tmp_path: Path):
    here = tmp_path / "model"
    for name in ("score.py", "helper.py", "bank.csv", ".env", "package/__init__.py", "package/data.json", "data/x.csv"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    copy_tree(here, tmp_path / "copy", "modules")

    expected = {"score.py", "helper.py", "package", "package/__init__.py", "package/data.json"}
    assert expected == tree(tmp_path / "copy").keys()


def test_of_a_script_s_directory_all_is_taken_but_hidden_directories_and_environments(tmp_path: Path):
    here = tmp_path / "model"
    for name in ("score.py", "x.csv", ".env", ".git/config", "venv/pyvenv.cfg", "data/x.csv", "data/.cache/y"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).touch()
    (here / "venv/python").symlink_to("/usr/bin/env")
    copy_tree(here, tmp_path / "copy", "code")

    assert {"score.py", "x.csv", ".env", "data", "data/x.csv"} == tree(tmp_path / "copy").keys()
