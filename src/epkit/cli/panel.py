"""The panel that a terminal shows during a run or a search for a model; a pipe gets nothing of it."""

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
"""Drawing takes some hundred microseconds, in which no reply is read: not oftener."""


def display(total: int | None, time_limit_s: float | None, *, quiet: bool) -> "Panel | ProgressLine":
    """Return what shows a run under way: a panel, or a line on a terminal that cannot do more, or nothing.

    Args:
        total: how many requests there will be, where that is known.
        time_limit_s: how long they go on, where that is known.
        quiet: show nothing.
    """
    return Panel(total, time_limit_s) if _is_drawable(quiet=quiet) else ProgressLine(total, quiet=quiet)


def search_display(*, quiet: bool) -> "SearchPanel | SearchLine":
    """Return what shows a search under way, as `display` does a run."""
    return SearchPanel() if _is_drawable(quiet=quiet) else SearchLine(quiet=quiet)


def _is_drawable(*, quiet: bool) -> bool:
    """Tell whether there is a terminal that can draw lines anew."""
    shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
    return shown and os.environ.get("TERM", "dumb") != "dumb"


class _Drawn:
    """A few lines on stderr, drawn over and over, gone at the end; a context manager."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as Screen

        self._due = 0.0
        # Not refreshed from a thread: it would take the interpreter from the run at a moment of its own choice.
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
        """Take the panel away."""
        self._screen.stop()

    def _draw(self, made: "Callable[[], Text]", *, at_once: bool = False) -> None:
        """Draw, if it is time to, or *at_once*."""
        now = time.monotonic()
        if now < self._due and not (at_once and self._due < math.inf):
            return
        self._due = now + EVERY_S
        try:
            if not self._screen.is_started:
                self._screen.start()
            self._screen.update(made(), refresh=True)
        except OSError:
            self._due = math.inf  # the terminal is gone; the run is not


class Panel(_Drawn):
    """A run under way."""

    def __init__(self, total: int | None, time_limit_s: float | None) -> None:
        from epkit.core.report.live import Live

        super().__init__()
        self.live = Live()
        self._total = total
        self._time_limit_s = time_limit_s

    def show(self, done: int, failed: int) -> None:
        """Draw, if it is time to."""
        if done or failed:
            self._draw(lambda: draw(self.live.view(), self._total, self._time_limit_s))


class SearchPanel(_Drawn):
    """A search under way, and what is done with it."""

    def show(self, progress: "Progress") -> None:
        """Draw, if it is time to; a phase at once, as it is shown once."""
        self._draw(lambda: draw_search(progress), at_once=progress.phase is not None)

    def note(self, message: str) -> None:
        """Say a line above the panel, which is drawn again when there is something new."""
        self._screen.stop()
        note(message)


class SearchLine:
    """How far a search is, on a line of its own. A context manager that clears it."""

    def __init__(self, *, quiet: bool) -> None:
        self._line = StatusLine(quiet=quiet)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.clear()

    def note(self, message: str) -> None:
        """Say a line of its own."""
        self._line.clear()
        note(message)

    def show(self, progress: "Progress") -> None:
        """Show how far a search is."""
        from epkit.reporters.train import progress as search

        self._line.show(search.line(progress))


def draw(view: "View", total: int | None, time_limit_s: float | None) -> "Text":
    """Draw a run so far."""
    from epkit.reporters.run import panel

    return _lines(panel.lines(view, total, time_limit_s))


def draw_search(progress: "Progress") -> "Text":
    """Draw a search so far."""
    from epkit.reporters.train import progress as search

    return _lines(search.lines(progress))


def _lines(lines: Sequence[tuple[str, str, str]]) -> "Text":
    """Put lines together: name, value, style."""
    from rich.text import Text

    from epkit.reporters.run.panel import WIDTH

    text = Text(no_wrap=True, overflow="ellipsis")
    for place, (name, value, style) in enumerate(lines):
        text.append(f"{name:<{WIDTH}}", style="dim")
        text.append(value + ("\n" if place < len(lines) - 1 else ""), style=style)
    return text
