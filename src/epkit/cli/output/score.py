"""The output of `epkit score`: rows on stdout, the progress, and a summary at the end."""

import sys
import time
from collections.abc import Sequence
from typing import Any, Final, Self

from epkit.cli import terminal
from epkit.cli.build_server import defused_bytes
from epkit.core.replies.predictions import Layout
from epkit.core.score.pieces import Piece
from epkit.core.score.scored import JobProgress, ScoreResult
from epkit.files.predicted import FilelessWriter, StreamWriter
from epkit.flows.score.options import ScoreOptions, exit_code
from epkit.reporters import score_text

TABLE_ROWS: Final = 40


class RowTable(FilelessWriter):
    """Writes few rows as a table when it is closed, and many rows as JSON lines."""

    def __init__(self) -> None:
        self._rows: list[tuple[int, Any]] = []
        self._stream: StreamWriter | None = None

    def write(self, first: int, piece: Piece, predictions: Sequence[Any], layout: Layout) -> None:
        """Keep the rows, as long as they are few."""
        if self._stream is None and len(self._rows) + len(predictions) <= TABLE_ROWS:
            self._rows += enumerate(predictions, start=first)
            return
        if self._stream is None:
            self._stream = StreamWriter(send)
            kept, self._rows = [prediction for _, prediction in self._rows], []
            if kept:
                self._stream.write(first - len(kept), piece, kept, layout)
        self._stream.write(first, piece, predictions, layout)

    def close(self) -> None:
        """Print the table, however the job ended."""
        rows, self._rows = self._rows, []
        if rows:
            terminal.write(score_text.table(rows))


class Display:
    """Shows a job in progress; a context manager that clears the line at the end."""

    def __init__(self, options: ScoreOptions, *, quiet: bool) -> None:
        self._line = terminal.StatusLine(quiet=quiet)
        self.progress = self._show if self._line.active else None
        terminal_out = sys.stdout is not None and sys.stdout.isatty()
        self.writer = None if options.out is not None else RowTable() if terminal_out else StreamWriter(send)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Clear the line."""
        self._line.clear()

    def _show(self, progress: JobProgress) -> None:
        self._line.show(score_text.progress(progress))


def send(data: bytes) -> None:
    """Write bytes to stdout.

    Raises:
        BrokenPipeError: the reader is gone.
        UsageError: stdout is closed, or its disk is full.
    """
    from epkit.errors import UsageError

    if sys.stdout is None:
        raise UsageError("stdout is closed: the result cannot be written")
    try:
        sys.stdout.buffer.write(defused_bytes(data))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"stdout: {error.strerror}") from None


def show_plan(request: str, target: str) -> int:
    """Print the first request."""
    terminal.write(f"{request}\n\n{target}: this is the first request. No row was sent.\n")
    return 0


def finish(result: ScoreResult, display: Display, options: ScoreOptions, *, quiet: bool) -> int:
    """Print the result of a job.

    Returns:
        The exit code.
    """
    display.clear()
    code = exit_code(result)
    if result.already:
        terminal.note(f"{options.out}: already complete: {score_text.rows(result)}; --restart starts over")
    elif not quiet:
        terminal.say("\n".join(score_text.summary(result)))
    if code:
        terminal.complain(score_text.complaint(result, options.out))
    return code
