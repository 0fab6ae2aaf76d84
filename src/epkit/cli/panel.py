"""The panel that a run shows on a terminal while it goes on; nothing of it in a pipe."""

import math
import os
import sys
import time
from typing import TYPE_CHECKING, Final, Self

from epkit.cli.terminal import ProgressLine

if TYPE_CHECKING:
    from rich.text import Text

    from epkit.core.report.live import View

BARS: Final = "▁▂▃▄▅▆▇█"
EVERY_S: Final = 0.4
"""Drawing takes some hundred microseconds, in which no reply is read: not oftener."""


def display(total: int | None, time_limit_s: float | None, *, quiet: bool) -> "Panel | ProgressLine":
    """Return what shows a run under way: a panel, or a line on a terminal that cannot do more, or nothing.

    Args:
        total: how many requests there will be, where that is known.
        time_limit_s: how long they go on, where that is known.
        quiet: show nothing.
    """
    shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
    if shown and os.environ.get("TERM", "dumb") != "dumb":
        return Panel(total, time_limit_s)
    return ProgressLine(total, quiet=quiet)


class Panel:
    """A few lines on stderr, drawn over and over, gone when the run is over; a context manager."""

    def __init__(self, total: int | None, time_limit_s: float | None) -> None:
        from rich.console import Console
        from rich.live import Live as Screen

        from epkit.core.report.live import Live

        self.live = Live()
        self._total = total
        self._time_limit_s = time_limit_s
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

    def show(self, done: int, failed: int) -> None:
        """Draw, if it is time to."""
        now = time.monotonic()
        if now < self._due or not (done or failed):
            return
        self._due = now + EVERY_S
        try:
            if not self._screen.is_started:
                self._screen.start()
            self._screen.update(draw(self.live.view(), self._total, self._time_limit_s), refresh=True)
        except OSError:
            self._due = math.inf  # the terminal is gone; the run is not


def draw(view: "View", total: int | None, time_limit_s: float | None) -> "Text":
    """Draw a run so far."""
    from rich.text import Text

    of = f" of {total:,}" if total else ""
    rate = view.done / view.elapsed_s if view.elapsed_s else 0.0
    left = _left(view, rate, total, time_limit_s)
    latency = "  ".join(f"p{p} {ms:.4g} ms" for p, ms in zip((50, 90, 99), view.percentiles_ms, strict=False))
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in view.failures)
    lines = [
        ("requests", f"{view.done:,}{of} in {view.elapsed_s:.0f} s{left}", ""),
        ("throughput", f"{rate:,.1f}/s  {sparkline(view.per_s)}", "cyan"),
        ("latency", latency or "no request has succeeded", "" if latency else "red"),
        ("failed", kinds or "none", "red" if kinds else "green"),
        ("in flight", f"{view.in_flight:.1f}", ""),
    ]
    text = Text(no_wrap=True, overflow="ellipsis")
    for place, (name, value, style) in enumerate(lines):
        text.append(f"{name:<12}", style="dim")
        text.append(value + ("\n" if place < len(lines) - 1 else ""), style=style)
    return text


def sparkline(values: tuple[int, ...]) -> str:
    """Draw numbers as bars, the highest of them full."""
    most = max(values, default=0)
    return "".join(BARS[round(value / most * (len(BARS) - 1))] for value in values) if most else ""


def _left(view: "View", rate: float, total: int | None, time_limit_s: float | None) -> str:
    """Say how long the run will go on, by what ends it first."""
    ends = []
    if time_limit_s is not None:
        ends.append(time_limit_s - view.elapsed_s)
    if total is not None and rate:
        ends.append((total - view.done) / rate)
    return f", {max(0, min(ends)):.0f} s left" if ends else ""
