"""The panel that a terminal shows during a run or a search for a model; it is not written to a pipe."""

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Self

from epkit.cli.terminal import ProgressLine, StatusLine, note

if TYPE_CHECKING:
    from rich.text import Text

    from epkit.core.report.live import View
    from epkit.core.train.progress import Progress

EVERY_S: Final = 0.4
"""Least time between two drawings, in seconds: each takes some hundred microseconds, in which no reply is read."""


def display(total: int | None, time_limit_s: float | None, *, quiet: bool) -> "Panel | ProgressLine":
    """Return the display of a run: a panel, or a line for a simple terminal, or nothing.

    Args:
        total: the number of requests of the run, if it is known.
        time_limit_s: the duration of the run, if it is known.
        quiet: whether nothing is shown.
    """
    return Panel(total, time_limit_s) if _is_drawable(quiet=quiet) else ProgressLine(total, quiet=quiet)


def search_display(*, quiet: bool) -> "SearchPanel | SearchLine":
    """Return the display of a search, like `display` for a run."""
    return SearchPanel() if _is_drawable(quiet=quiet) else SearchLine(quiet=quiet)


def _is_drawable(*, quiet: bool) -> bool:
    """Return whether stderr is a terminal that can redraw lines."""
    shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
    return shown and os.environ.get("TERM", "dumb") != "dumb"


class _Drawn:
    """A few lines on stderr that are redrawn, and removed at the end; a context manager."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as Screen

        self._due = 0.0
        # Not refreshed from a thread: a thread would stop the run at any moment, because both need the interpreter.
        self._screen = Screen(
            console=Console(stderr=True),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the panel."""
        self._screen.stop()

    def _draw(self, made: "Callable[[], Text]", *, at_once: bool = False) -> None:
        """Draw, if enough time has passed or *at_once* is set."""
        now = time.monotonic()
        if now < self._due and not (at_once and self._due < math.inf):
            return
        self._due = now + EVERY_S
        try:
            if not self._screen.is_started:
                self._screen.start()
            self._screen.update(made(), refresh=True)
        except OSError:
            self._due = math.inf  # the terminal is gone, and the run goes on


class Panel(_Drawn):
    """Shows a run in progress."""

    def __init__(self, total: int | None, time_limit_s: float | None) -> None:
        from epkit.core.report.live import Live

        super().__init__()
        self.live = Live()
        self._total = total
        self._time_limit_s = time_limit_s

    def show(self, done: int, failed: int) -> None:
        """Draw, if enough time has passed."""
        if done or failed:
            self._draw(lambda: draw(self.live.view(), self._total, self._time_limit_s))


class SearchPanel(_Drawn):
    """Shows a search in progress, and notes above it."""

    def show(self, progress: "Progress") -> None:
        """Draw, if enough time has passed; draw a phase at once, because it is shown only once."""
        self._draw(lambda: draw_search(progress), at_once=progress.phase is not None)

    def note(self, message: str) -> None:
        """Print a line above the panel; the next `show` draws the panel again."""
        self._screen.stop()
        note(message)


class SearchLine:
    """Shows the progress of a search on one line. A context manager that clears the line."""

    def __init__(self, *, quiet: bool) -> None:
        self._line = StatusLine(quiet=quiet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.clear()

    def note(self, message: str) -> None:
        """Print a separate line."""
        self._line.clear()
        note(message)

    def show(self, progress: "Progress") -> None:
        """Show the progress of a search."""
        from epkit.reporters.train import progress as search

        self._line.show(search.line(progress))


def draw(view: "View", total: int | None, time_limit_s: float | None) -> "Text":
    """Draw the current state of a run."""
    from epkit.reporters.run import panel

    return _lines(panel.lines(view, total, time_limit_s))


def draw_search(progress: "Progress") -> "Text":
    """Draw the current state of a search."""
    from epkit.reporters.train import progress as search

    return _lines(search.lines(progress))


def _lines(lines: Sequence[tuple[str, str, str]]) -> "Text":
    """Join lines of name, value and style."""
    from rich.text import Text

    from epkit.reporters.run.panel import WIDTH

    text = Text(no_wrap=True, overflow="ellipsis")
    for place, (name, value, style) in enumerate(lines):
        text.append(f"{name:<{WIDTH}}", style="dim")
        text.append(value + ("\n" if place < len(lines) - 1 else ""), style=style)
    return text
