"""The progress of a search in a few lines, for a terminal's panel and a notebook's cell, or in one line."""

from typing import Final

from epkit.core.train.progress import Progress, RunScore

WIDTH: Final = 12
"""Width of the names of lines in characters."""

Line = tuple[str, str, str]
"""Name, value, and rich's style of the value."""


def lines(progress: Progress) -> list[Line]:
    """Return the progress of a search."""
    metric, failed = progress.metric, progress.failed
    done = f"{progress.done:,} of {progress.total:,} in {_span(progress.elapsed_s)}{_still(progress.left_s)}"
    return [
        ("runs", done, ""),
        ("running", progress.phase or ", ".join(progress.running) or "none", ""),
        ("last", _score(progress.last, metric) if progress.last else "no run is finished", ""),
        ("best so far", _score(progress.best, metric) if progress.best else "none", "cyan"),
        ("failed", f"{failed:,}" if failed else "none", "red" if failed else "green"),
    ]


def text(progress: Progress) -> str:
    """Write the progress of a search, without colours; see `lines`."""
    return "\n".join(f"{name:<{WIDTH}}{value}" for name, value, _ in lines(progress))


def line(progress: Progress) -> str:
    """Return the progress of a search in one line."""
    best = f", best {_score(progress.best, progress.metric)}" if progress.best else ""
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    phase = f", {progress.phase}" if progress.phase else ""
    return f"{progress.done:,} of {progress.total:,} runs{best}{_still(progress.left_s)}{failed}{phase}"


def _score(score: RunScore, metric: str) -> str:
    run, family, value = score
    return f"{metric} {value:{'.4f' if abs(value) < 10 else ',.2f'}} ({run} {family})"


def _span(seconds: float) -> str:
    """Format a duration; above two minutes without seconds."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _still(left_s: float | None) -> str:
    """Return the remaining time, if known."""
    return "" if left_s is None else f", {_span(max(0.0, left_s))} left"
