"""File systems of a few kilobytes, full or read-only, mounted for a test; skipped by name where that is forbidden."""

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
    """Mount a file system of that number of bytes, in whole pages; one page of them is the directory's own."""
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
    """Fill a small disk up to *left* bytes, in whole pages."""
    free = shutil.disk_usage(folder).free - left
    (folder / "ballast").write_bytes(b"x" * max(0, free - free % PAGE))


def make_read_only(folder: Path) -> None:
    """Forbid writing; what is open for writing must be closed."""
    assert not _run("mount", "-o", "remount,ro", folder)


def resize(folder: Path, size: int) -> None:
    """Give it another size."""
    assert not _run("mount", "-o", f"remount,size={size}", folder)


def _run(*command: object) -> int:
    return subprocess.run([str(word) for word in command], capture_output=True, check=False).returncode
