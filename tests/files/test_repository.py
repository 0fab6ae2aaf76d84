"""Whether git would commit a file with a key."""

import os
import shutil
import subprocess

import pytest

from epkit.files.repository import exposure, root_of
from support.canary import CANARY


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


def test_git_sees_no_key_and_runs_nothing_that_the_repository_names(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("EPKIT_KEY", CANARY)
    monitor = tmp_path / "monitor.sh"
    monitor.write_text(f"#!/bin/sh\ntouch {tmp_path / 'it-ran'}\n")
    monitor.chmod(0o755)
    subprocess.run(["git", "-C", repository, "config", "core.fsmonitor", monitor], check=True)
    bin_, seen = tmp_path / "bin", tmp_path / "seen"
    bin_.mkdir()
    (bin_ / "git").write_text(f'#!/bin/sh\nenv >> {seen}\nexec {shutil.which("git")} "$@"\n')
    (bin_ / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")

    assert "committed" == exposure(repository / "committed.key")
    assert "HOME=" in seen.read_text()
    assert CANARY not in seen.read_text()
    assert not (tmp_path / "it-ran").exists()
