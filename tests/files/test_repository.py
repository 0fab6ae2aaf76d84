"""Whether git would take a file with a key."""

import shutil
import subprocess

import pytest

from epkit.files.repository import exposure, root_of


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository that ignores `*.ignored`, with one file committed."""
    if shutil.which("git") is None:
        pytest.skip("needs git")

    def git(*arguments):
        who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True)

    for name in ("a.ignored", "committed.key", "open.key"):
        (tmp_path / name).write_text("k")
    (tmp_path / ".gitignore").write_text("*.ignored\n")
    git("init")
    git("add", "committed.key")
    git("commit", "-m", "x")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [("a.ignored", "ignored"), ("committed.key", "committed"), ("open.key", "open"), ("missing.key", "open")],
)
def test_how_near_a_file_is_to_being_committed(repository, name, found):
    assert found == exposure(repository / name)
    assert repository == root_of(repository)


def test_a_directory_inside_belongs_to_it(repository):
    (repository / "below").mkdir()

    assert "open" == exposure(repository / "below" / "a.key")


def test_without_git_a_file_is_open(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")

    assert "open" == exposure(repository / "a.ignored")


def test_outside_of_a_repository_nothing_is_committed(tmp_path):
    if root_of(tmp_path) is not None:
        pytest.skip("the temporary directory lies in a repository")

    assert "outside" == exposure(tmp_path / "a.key")
