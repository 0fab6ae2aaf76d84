"""The options of a scoring job, and its result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from epkit.core.http.destination import Tls
from epkit.core.load.cluster import ClusterAddress
from epkit.core.replies.finding import place_of
from epkit.core.score.scored import ScoreResult
from epkit.errors import EndpointError, UsageError
from epkit.files.dialects import DEFAULT, TableOptions
from epkit.flows.rows.opening import Given
from epkit.flows.target.request_options import RequestOptions, check_proxy

MOST_CONCURRENCY: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreOptions:
    """The options of `epkit score`; the help of the command explains each.

    Args:
        file: a path, `-`, or None for the contract's example.
        table: the user's options for tables.
        given: rows from Python, instead of a file.
        out: a path; None for a stream.
        timeout_s: the timeout of one request; None means the target's own.
        rate: most requests per second; None means no limit.
        params: sent with the rows.
        workers: the number of processes of this machine that share the job.
        cluster: a Dask scheduler whose workers share it.
    """

    file: str | None = None
    table: TableOptions = DEFAULT
    given: Given | None = None
    target: str | None = None
    key_file: str | None = None
    out: str | None = None
    wrap: str | None = None
    concurrency: int = 8
    batch_rows: int = 100
    batch_bytes: int = 1_500_000
    rate: float | None = None
    retries: int = 5
    timeout_s: float | None = None
    method: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    request: RequestOptions = field(default_factory=RequestOptions)
    skip_invalid: bool = False
    restart: bool = False
    overwrite: bool = False
    tls: Tls = field(default_factory=Tls)
    workers: int | None = None
    cluster: ClusterAddress | None = None

    @property
    def parameters(self) -> Mapping[str, Any]:
        """The parameters that are sent with the rows, including the method."""
        return {**self.params, **({"method": self.method} if self.method is not None else {})}


def check(options: ScoreOptions) -> None:
    """Refuse options that cannot be combined, before anything is read."""
    for flag, value, least, most in (
        ("-c", options.concurrency, 1, MOST_CONCURRENCY),
        ("--batch-rows", options.batch_rows, 1, 10**7),
        ("--batch-bytes", options.batch_bytes, 1, 2**31),
        ("--retries", options.retries, 0, 10**6),
    ):
        if not least <= value <= most:
            raise UsageError(f"{flag} {value}: must be from {least} to {most:,}")
    if options.rate is not None and not 1e-6 <= options.rate <= 1e6:
        raise UsageError(f"--rate {options.rate:g}: must be more than 0 and at most a million requests a second")
    if options.timeout_s is not None and not 0 < options.timeout_s < 1e9:
        raise UsageError(f"-s {options.timeout_s:g}: must be more than 0 and less than 10^9 seconds")
    if options.request.predictions_at is not None:
        place_of(options.request.predictions_at)
    check_proxy(options.request)


def exit_code(result: ScoreResult) -> int:
    """Return the exit code of a job: 130 or 143 interrupted, 4 the endpoint ended it or rows failed, else 0.

    A job that was complete before has its former exit code, because the journal includes the outcome.
    """
    if result.stopped_by is not None:
        return 128 + int(result.stopped_by)
    return EndpointError.exit_code if result.hopeless or result.failed_rows else 0
