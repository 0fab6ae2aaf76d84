"""The result of a scoring job, and its progress."""

from collections.abc import Mapping
from dataclasses import dataclass

from epkit.core.replies.predictions import Failed
from epkit.core.stats.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRowExample:
    """The first row that failed for a reason, and the number of such rows."""

    row: int
    why: Failed
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreResult:
    """The result of a job.

    Args:
        target: its name.
        rows: number of rows in the output, including those of earlier runs.
        before: number of rows that were there when this run started.
        failed_rows: rows without a prediction.
        reasons: their number by reason.
        examples: the first row for each reason, in this run.
        requests, retries: in this run.
        waits, waited_s: number and total time of the waits that the endpoint asked for.
        service: service times of this run's successful requests.
        complete: whether these are all rows of the input.
        already: whether the job was already complete.
        hopeless: one line: why the run ended early, or None.
        stopped_by: number of the signal that ended it early, or None.
    """

    target: str
    rows: int
    before: int
    failed_rows: int
    reasons: Mapping[str, int]
    examples: tuple[FailedRowExample, ...]
    requests: int
    retries: int
    service: Histogram
    seconds: float
    complete: bool
    already: bool = False
    hopeless: str | None = None
    stopped_by: int | None = None
    waits: int = 0
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProgress:
    """The progress of a job.

    Args:
        rows, total: settled rows, and all rows; None if the total is not known.
        fresh: rows that this run has settled.
        waiting_s: remaining time of a wait that the endpoint asked for, 0 if there is none.
    """

    rows: int
    total: int | None
    fresh: int
    in_flight: int
    retries: int
    failed_rows: int
    seconds: float
    waiting_s: float = 0.0
