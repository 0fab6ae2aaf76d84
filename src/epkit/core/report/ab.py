"""What Apache `ab` 2.3 would have computed from the same requests, to the digit, biases included.

ab counts in whole microseconds and keeps three numbers per request: `ctime` (connect, TLS handshake
included), `time` (all of it) and `wait` (last byte written to first byte read). Its means are truncated, its
medians and percentile indices lean upward, and its verdict on reliability compares rounded milliseconds with
an unrounded deviation. All of that is kept, because its only use is to compare with numbers that ab printed;
every other report has true statistics.

Source: apache/httpd, `support/ab.c`, branch 2.4.x, checked against runs of ab under a scripted clock.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from epkit.core.samples.latency import WHOLE

PERCENTS: Final = (50, 66, 75, 80, 90, 95, 98, 99, 100)
"""The rows of ab's percentile table."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AbTimes:
    """ab's record of every answered request: int64 microseconds, in order of completion.

    Args:
        start: since the epoch.
        ctime: connect, 0 on a reused connection.
        time: all of the request, ≥ 0.
        wait: from the last byte written to the first read, ≥ 0.
    """

    start: np.ndarray
    ctime: np.ndarray
    time: np.ndarray
    wait: np.ndarray

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class AbRow:
    """One row of Connection Times, in microseconds; *sd* alone is not a whole number."""

    min: int
    mean: int
    sd: float
    median: int
    max: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AbSummary:
    """The four rows of Connection Times."""

    connect: AbRow
    processing: AbRow
    waiting: AbRow
    total: AbRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AbReport:
    """ab's numbers of a run.

    Args:
        count: requests stored, ab's `Complete requests`.
        summary: None where count is 0.
        messages: ab's WARNING and ERROR texts, two lines each, in the order printed.
        percentiles: percent and microseconds of the table; empty where count < 2, as ab prints none then.
    """

    count: int
    summary: AbSummary | None
    messages: tuple[str, ...]
    percentiles: tuple[tuple[int, int], ...]


def from_samples(blocks: Iterable[np.ndarray], started_at_epoch_ns: int) -> AbTimes:
    """Take from samples what ab would have stored.

    Args:
        blocks: arrays of `SAMPLE`, in order of completion.
        started_at_epoch_ns: wall clock when the run began.

    Returns:
        One entry for each request that got a whole reply, whatever it said.

    Source: `start_connect`, `write_request`, `read_connection`, `close_connection`: each time is a difference
    of two readings of a microsecond clock, so every reading is floored before it is subtracted.
    """
    kept = [block[WHOLE[block["failure"]]] for block in blocks]

    def micros(point: str) -> np.ndarray:
        columns = [np.asarray((block[point] + started_at_epoch_ns) // 1000, dtype=np.int64) for block in kept]
        return np.concatenate([np.empty(0, dtype=np.int64), *columns])

    start, end = micros("start"), micros("end")
    return AbTimes(
        start=start,
        ctime=np.maximum(micros("connected") - start, 0),
        time=np.maximum(end - start, 0),
        wait=np.maximum(micros("first") - micros("sent"), 0),
    )


def summarise(times: AbTimes) -> AbReport:
    """Compute ab's report.

    Returns:
        Rows and percentiles in microseconds (`round_ms` makes ab's milliseconds), and its messages.

    Source: `output_results`.
    """
    n = len(times)
    if n == 0:
        return AbReport(count=0, summary=None, messages=(), percentiles=())
    summary = AbSummary(
        connect=_row(times.ctime),
        processing=_row(times.time - times.ctime),
        waiting=_row(times.wait),
        total=_row(times.time),
    )
    verdicts = (
        _verdict("initial connection", summary.connect),
        _verdict("processing", summary.processing),
        _verdict("waiting", summary.waiting),
        _verdict("total", summary.total),
    )
    ordered = np.sort(times.time)
    percentiles = tuple((p, int(ordered[min(n * p // 100, n - 1)])) for p in PERCENTS) if n > 1 else ()
    return AbReport(
        count=n,
        summary=summary,
        messages=tuple(verdict for verdict in verdicts if verdict),
        percentiles=percentiles,
    )


def round_ms(us: int) -> int:
    """Round microseconds to milliseconds, half up.

    Source: `ap_round_ms`.
    """
    return (us + 500) // 1000


def served(times: AbTimes) -> tuple[int, ...]:
    """Give the 101 values of ab's -e file: µs within which 0 % to 100 % of the requests were served.

    Returns:
        Nothing where there is no request.

    Source: `output_results`, where the index reaches past the end of the array for 50 requests and fewer, so
    that ab prints what lies behind it in memory; here the index stops at the last request.
    """
    n = len(times)
    if n == 0:
        return ()
    ordered = np.sort(times.time)
    inner = (int(ordered[min(math.floor(0.5 + n * i / 100.0), n - 1)]) for i in range(1, 100))
    return (int(ordered[0]), *inner, int(ordered[-1]))


def by_total(times: AbTimes) -> np.ndarray:
    """Order the requests as ab's -g file does.

    Returns:
        Indices by total time; equal totals stand by waiting time, then processing time, then completion,
        because ab sorts one array four times over with a stable sort, connect first and total last.
    """
    return np.lexsort((times.time - times.ctime, times.wait, times.time))


def _row(series: np.ndarray) -> AbRow:
    """Summarise one series of ≥ 1 microseconds as ab does.

    The mean is truncated; the deviation (n − 1) is taken from that truncated mean; the median takes the upper
    of the two middle values where n is even, and the mean of the middle one and the one above where n is odd.
    """
    n = len(series)
    ordered = np.sort(series)
    mean = int(series.sum()) // n
    squares = float(np.square(series.astype(np.float64) - mean).sum())
    half = n // 2
    median = int(ordered[half])
    if n > 1 and n % 2:
        median = (median + int(ordered[half + 1])) // 2
    return AbRow(
        min=int(ordered[0]),
        mean=mean,
        sd=math.sqrt(squares / (n - 1)) if n > 1 else 0.0,
        median=median,
        max=max(int(ordered[-1]), 0),
    )


def _verdict(what: str, row: AbRow) -> str | None:
    """Say what ab says of the distance between mean and median: nothing, a warning, or an error."""
    distance = abs(round_ms(row.mean) - round_ms(row.median))
    sd = row.sd / 1000
    if distance > 2 * sd:
        return (
            f"ERROR: The median and mean for the {what} time are more than twice the standard\n"
            "       deviation apart. These results are NOT reliable."
        )
    if distance > sd:
        return (
            f"WARNING: The median and mean for the {what} time are not within a normal deviation\n"
            "        These results are probably not that reliable."
        )
    return None
