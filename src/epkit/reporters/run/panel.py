"""The progress of a run in a few lines, for a terminal's panel and a notebook's cell."""

from typing import Final

from epkit.core.report.live import View

BARS: Final = "▁▂▃▄▅▆▇█"
WIDTH: Final = 12
"""Width of the names of lines in characters."""

Line = tuple[str, str, str]
"""Name, value, and rich's style of the value."""


def lines(view: View, total: int | None, time_limit_s: float | None) -> list[Line]:
    """Return the progress of a run.

    Args:
        total: number of requests, if known.
        time_limit_s: duration of the run in seconds, if known.
    """
    of = f" of {total:,}" if total else ""
    rate = _rate(view)
    left = _left(view, rate, total, time_limit_s)
    latency = "  ".join(f"p{p} {ms:.4g} ms" for p, ms in zip((50, 90, 99), view.percentiles_ms, strict=False))
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in view.failures)
    rows = [] if view.rows is None else [("rows", f"{view.rows / max(1e-9, view.elapsed_s):,.1f}/s", "cyan")]
    return [
        *([("point", view.title, "")] if view.title else []),
        ("requests", f"{view.done:,}{of} in {view.elapsed_s:.0f} s{left}", ""),
        ("throughput", f"{rate:,.1f}/s  {sparkline(view.per_s)}", "cyan"),
        *rows,
        ("latency", latency or "no request has succeeded", "" if latency else "red"),
        ("failed", kinds or "none", "red" if kinds else "green"),
        ("in flight", f"{view.in_flight:.1f}", ""),
    ]


def text(view: View, total: int | None, time_limit_s: float | None) -> str:
    """Write the progress of a run, without colours; see `lines`."""
    return "\n".join(f"{name:<{WIDTH}}{value}" for name, value, _ in lines(view, total, time_limit_s))


def over(view: View) -> str:
    """Summarise a completed run in one line."""
    failed = sum(n for _, n in view.failures)
    much = f"{failed:,}" if failed else "none"
    return f"{view.done:,} requests in {view.elapsed_s:.1f} s, {_rate(view):,.1f}/s, {much} failed"


def sparkline(values: tuple[int, ...]) -> str:
    """Draw numbers as bars; the greatest has full height."""
    most = max(values, default=0)
    return "".join(BARS[round(value / most * (len(BARS) - 1))] for value in values) if most else ""


def _rate(view: View) -> float:
    return view.done / view.elapsed_s if view.elapsed_s else 0.0


def _left(view: View, rate: float, total: int | None, time_limit_s: float | None) -> str:
    """Return the remaining time of the run, by the limit that ends it first."""
    ends = []
    if time_limit_s is not None:
        ends.append(time_limit_s - view.elapsed_s)
    if total is not None and rate:
        ends.append((total - view.done) / rate)
    return f", {max(0, min(ends)):.0f} s left" if ends else ""
