"""File systems of a few kilobytes, full or read-only, mounted for a test; skips the test if mounts are forbidden."""

import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = 4096


@contextlib.contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """Mount a file system with that number of bytes, in whole pages; the directory itself takes one page."""
    folder = Path(tempfile.mkdtemp(prefix="epkit-small-"))
    if not shutil.which("mount") or _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder):
        folder.rmdir()
        pytest.skip("needs to mount a small file system")
    try:
        yield folder
    finally:
        assert not _run("umount", folder)
        folder.rmdir()


def fill(folder: Path, left: int = 0) -> None:
    """Fill a small disk until *left* bytes are free, in whole pages."""
    free = shutil.disk_usage(folder).free - left
    (folder / "ballast").write_bytes(b"x" * max(0, free - free % PAGE))


def make_read_only(folder: Path) -> None:
    """Make it read-only; files that are open for writing must be closed first."""
    assert not _run("mount", "-o", "remount,ro", folder)


def resize(folder: Path, size: int) -> None:
    """Change its size."""
    assert not _run("mount", "-o", f"remount,size={size}", folder)


def _run(*command: object) -> int:
    return subprocess.run([str(word) for word in command], capture_output=True, check=False).returncode
