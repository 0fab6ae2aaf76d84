"""Finds out whether a file with a key is about to be committed to a git repository."""

import subprocess
from pathlib import Path
from typing import Final, Literal

from epkit.process import child_environment

PATIENCE_S: Final = 5

Exposure = Literal["outside", "ignored", "open", "committed"]


def root_of(directory: Path) -> Path | None:
    """Return the root of the git repository that contains *directory*, None if there is none."""
    return next((folder for folder in (directory, *directory.parents) if (folder / ".git").exists()), None)


def exposure(file: Path) -> Exposure:
    """Tell how close a file is to a commit: `open` means that it is neither ignored nor committed yet.

    Args:
        file: absolute; need not exist.
    """
    root = root_of(file.parent)
    if root is None:
        return "outside"
    if _git(root, "ls-files", "--error-unmatch", "--", str(file)):
        return "committed"
    return "ignored" if _git(root, "check-ignore", "--quiet", "--", str(file)) else "open"


def _git(root: Path, *arguments: str) -> bool:
    """Run git so that it starts no program from the repository's own settings; False without git."""
    try:
        asked = subprocess.run(  # noqa: S603 - no shell, and paths come after --
            ["git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            check=False,
            timeout=PATIENCE_S,
            env=child_environment() | {"GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0
