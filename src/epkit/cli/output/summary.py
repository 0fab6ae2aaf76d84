"""`--summary`: appends a report as Markdown to the summary of a job of GitHub Actions or Azure DevOps."""

import os
from pathlib import Path
from typing import Final

from epkit.cli import terminal
from epkit.errors import UsageError, unwritable

GITHUB: Final = "GITHUB_STEP_SUMMARY"
"""Variable with the path of the file to which a step of GitHub Actions appends its summary."""

AZURE: Final = "TF_BUILD"
"""Variable that is set in a job of Azure DevOps; there, a logging command names the file."""

MOST_BYTES: Final = 1 << 20
"""Size limit for the summary of a step; GitHub shows nothing of a longer one."""

SHORTENED: Final = "\n\n*Shortened: the summary of a step has at most 1 MiB.*\n"


def check() -> None:
    """Check before a long run that there is a job whose summary can be written.

    Raises:
        UsageError: there is no such job, or its file cannot be written.
    """
    from epkit.files.outputs import check_writable

    if GITHUB in os.environ:
        check_writable(os.environ[GITHUB], "--summary")
    elif AZURE not in os.environ:
        raise UsageError(
            f"--summary: this is not a job of GitHub Actions ({GITHUB} is not set) or Azure DevOps ({AZURE} is not "
            f"set): "
            "--format markdown prints the same"
        )


def add(text: str) -> None:
    """Append a report to the summary of the job.

    Args:
        text: Markdown.

    Raises:
        UsageError: as in `check`, or the file cannot be written.
    """
    check()
    if GITHUB in os.environ:
        _append(Path(os.environ[GITHUB]), text)
    else:
        _upload(text)


def fit(text: str, room: int) -> str:
    """Shorten a text to a number of bytes at the end of a line, and mark it as shortened; "" if nothing fits."""
    data = text.encode("utf-8", "replace")
    if len(data) <= room:
        return text
    kept = data[: max(0, room - len(SHORTENED.encode()))]
    lines, end, _ = kept.rpartition(b"\n")
    return lines.decode().rstrip() + SHORTENED if end else ""


def _append(path: Path, text: str) -> None:
    size = path.stat().st_size if path.exists() else 0
    apart = "\n" if size else ""
    fitting = fit(apart + text, MOST_BYTES - size)
    if not fitting:
        terminal.note(f"--summary {path}: it has {size:,} bytes of at most {MOST_BYTES:,}: nothing was added")
        return
    terminal.append_file(str(path), fitting, "--summary")


def _upload(text: str) -> None:
    # The agent reads the file when it reaches the line, and empties its directory after the job.
    where = os.environ.get("AGENT_TEMPDIRECTORY") or None
    import tempfile  # late, with all its imports: every report could have a summary, but few have one

    try:
        descriptor, path = tempfile.mkstemp(prefix="epkit-summary-", suffix=".md", dir=where)
    except OSError as error:
        raise unwritable(f"--summary {where or tempfile.gettempdir()}", error) from None
    os.close(descriptor)
    terminal.write_file(path, fit(text, MOST_BYTES), "--summary")
    terminal.upload_summary(path)
