"""What came of a scoring job, and how far one is."""

from collections.abc import Mapping
from dataclasses import dataclass

from epkit.core.replies.predictions import Failed
from epkit.core.stats.histogram import Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRowExample:
    """The first row that failed for a reason, and how many did."""

    row: int
    why: Failed
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreResult:
    """What came of a job.

    Args:
        target: how it is called.
        rows: in the output, those of earlier runs too.
        before: of those, how many were there when this run began.
        failed_rows: rows without a prediction.
        reasons: of those, by reason.
        examples: the first row of each reason that this run met.
        requests, retries: of this run.
        waits, waited_s: how often the endpoint asked to wait, and how long together.
        service: times of this run's successful requests.
        complete: whether these are all rows of the input.
        already: whether the job was complete before.
        hopeless: why the run ended early, in one line, or None.
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
    """How far a job is.

    Args:
        rows, total: settled, and in all; None where that is not known.
        fresh: rows settled since the run began.
        waiting_s: how long the endpoint still asks to wait, 0 where it does not.
    """

    rows: int
    total: int | None
    fresh: int
    in_flight: int
    retries: int
    failed_rows: int
    seconds: float
    waiting_s: float = 0.0
