"""A scoring job as text: its progress, its table, its summary, and one line about failures."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

from epkit.core.http.masking import clean
from epkit.core.json.writing import dumps
from epkit.core.replies.predictions import Failed
from epkit.core.score.scored import JobProgress, ScoreResult

PERCENTILES: Final = ("50", "90", "99")
SHOWN_REASONS: Final = 5


def progress(now: JobProgress) -> str:
    """Return the progress of a job in one line."""
    parts = [f"{now.rows:,}{f' of {now.total:,}' if now.total else ''} rows"]
    rate = now.fresh / now.seconds if now.seconds > 0 else 0.0
    parts.append(f"{rate:,.0f} rows/s")
    parts.append(f"{now.in_flight} in flight")
    if now.retries:
        parts.append(f"{now.retries:,} {'retry' if now.retries == 1 else 'retries'}")
    if now.failed_rows:
        parts.append(f"{now.failed_rows:,} failed")
    if now.waiting_s:
        parts.append(f"asked to wait {duration(now.waiting_s)}")
    if now.total and rate:
        parts.append(f"{duration((now.total - now.rows) / rate)} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Format a duration: 0:05, 12:34, 1:02:03."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def table(rows: Sequence[tuple[int, Any]]) -> str:
    """Lay out the numbers of rows and their predictions."""
    texts = [(str(row), "–" if prediction is None else _shown(prediction)) for row, prediction in rows]
    width = max(3, *(len(row) for row, _ in texts))
    lines = [f"{'row':>{width}}  prediction", *(f"{row:>{width}}  {text}" for row, text in texts)]
    return "".join(f"{line}\n" for line in lines)


def summary(result: ScoreResult) -> list[str]:
    """Return the result of a job: rows, failures by reason, times."""
    lines = [f"{rows(result)}, {result.seconds:.1f} s"]
    if result.before:
        lines[0] += f" (the first {result.before:,} were done before)"
    fresh = result.rows - result.before
    rate = f", {fresh / result.seconds:,.0f} rows/s" if result.seconds > 0 and fresh else ""
    again = f", {result.retries:,} of them again" if result.retries else ""
    lines.append(f"{_count(result.requests, 'request')}{again}{rate}")
    if result.service.count:
        times = [f"p{p} {result.service.percentile(Fraction(p)) / 1e6:,.1f}" for p in PERCENTILES]
        lines.append(f"a request took {', '.join(times)}, at most {result.service.max / 1e6:,.1f} ms")
    if result.waits:
        often = "once" if result.waits == 1 else f"{result.waits:,} times"
        lines.append(f"the endpoint asked to wait {often} (Retry-After), {result.waited_s:,.1f} s together")
    shown = result.examples[:SHOWN_REASONS]
    lines += [f"{example.count:,} x {_why(example.why)}, first row {example.row:,}" for example in shown]
    more = len(result.examples) - len(shown)
    return [*lines, f"and {more} other {'reason' if more == 1 else 'reasons'}"] if more else lines


def rows(result: ScoreResult) -> str:
    """Return the number of rows, and of failed ones."""
    failed = f", {result.failed_rows:,} failed" if result.failed_rows else ""
    return f"{_count(result.rows, 'row')}{failed}"


def complaint(result: ScoreResult, out: str | None) -> str:
    """Return in one line why a job failed."""
    again = ": the same command goes on" if out is not None else ""
    if result.stopped_by is not None:
        return f"{result.target}: interrupted after {_count(result.rows, 'row')}{again}"
    if result.hopeless is not None:
        return f"{result.target}: {result.hopeless}; {_count(result.rows, 'row')} done{again}"
    where = f", {out}.failed.jsonl says why" if out is not None else ""
    first = f": {_why(result.examples[0].why)}" if result.examples else ""
    return f"{result.target}: {result.failed_rows:,} of {_count(result.rows, 'row')} failed{first}{where}"


def _why(why: Failed) -> str:
    status = f" {why.status}" if why.reason == "status" else ""
    return f"{why.reason}{status}{f': {clean(why.detail)}' if why.detail else ''}"


def _shown(prediction: Any) -> str:
    text = prediction if isinstance(prediction, str) else dumps(prediction).decode("utf-8", "replace")
    return clean(text, 120)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
