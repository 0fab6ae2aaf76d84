"""The options of `epkit bench`, and the result of a run."""

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from epkit.core.http.destination import Tls
from epkit.core.load.cluster import ClusterAddress
from epkit.core.near import not_one_of
from epkit.core.replies.judging import Depth
from epkit.core.report.live import Live
from epkit.core.report.report import PayloadInfo, PlanInfo, Report
from epkit.core.stats.histogram import Histogram
from epkit.flows.target.request_options import RequestOptions

if TYPE_CHECKING:
    from epkit.core.report.ab import AbTimes
    from epkit.flows.bench.exporting import Exporting


def depth_of(flag: str, name: str, expect: str | None) -> Depth:
    """Parse how thoroughly replies are checked; `--expect` implies the most thorough check.

    Raises:
        UsageError: there is no such depth.
    """
    depths = {depth.name.lower(): depth for depth in Depth}
    if name not in depths:
        raise not_one_of(flag, name, depths)
    return Depth.EXPECT if expect is not None else depths[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """The options of `epkit bench`; the help of the command explains each.

    Args:
        requests, time_limit_s: the end of the run: the first of them that is reached; without both, one request.
        concurrency: most requests in flight; None means 1 in a closed loop, and 1,000 (httpx: 100) in an open loop.
        rate, stages, sweep, find_max: at most one of them; without any, the loop is closed. A sweep with `rows=` is a
            sweep of batch sizes.
        arrivals: `constant` or `poisson`, for a load with a rate.
        warmup: a number of requests, or a time such as `10s`; they run first, and are reported separately.
        until: ends the run when an estimate is tight.
        repeat, against: the number of runs, and the other target, which gets a run after each of them.
        strict: whether a run that is not valid counts as a miss.
        timeout_s: the timeout of one request; None means the target's own.
        workers, cluster: the number of processes of this machine that make the load, or the Dask scheduler whose
            workers make it; None means this process.
        engine: `wire`, `httpx`, or None for the engine that the other options need.
        rows_wanted: whether every row is kept, for ab's files and report.
        expect: a file of golden predictions, for the most thorough check.
        slos: objectives that the report must meet.
        abort_on_slo: whether the run ends when an objective can no longer be met; "no failures" is such an objective.
        failures_as_infinite: whether a failure counts as an infinite response time.
        save: the file that the run is saved to.
        samples: the table that every sample is written to.
        histograms_wanted: whether the result also contains the latencies as histograms, for a report.
        otlp: the URL of an OpenTelemetry collector that gets the figures during the run.
        request_ids: the header for an id of each request; None for no ids.
    """

    target: str | None = None
    key_file: str | None = None
    requests: int | None = None
    concurrency: int | None = None
    time_limit_s: float | None = None
    timeout_s: float | None = None
    rate: float | None = None
    arrivals: str = "constant"
    stages: str | None = None
    sweep: str | None = None
    find_max: str | None = None
    warmup: str | None = None
    until: str | None = None
    repeat: int | None = None
    against: str | None = None
    strict: bool = False
    request: RequestOptions = field(default_factory=RequestOptions)
    workers: int | None = None
    cluster: ClusterAddress | None = None
    engine: str | None = None
    http2: bool = False
    depth: Depth = Depth.REPLY
    expect: str | None = None
    connect_to: str | None = None
    bind: str | None = None
    buffer_bytes: int | None = None
    tls: Tls = field(default_factory=Tls)
    sni: bool = True
    verbosity: int = 0
    keep_failures: str | None = None
    rows_wanted: bool = False
    slos: tuple[str, ...] = ()
    abort_on_slo: bool = False
    failures_as_infinite: bool = False
    save: str | None = None
    samples: str | None = None
    histograms_wanted: bool = False
    seed: int = 0
    otlp: str | None = None
    request_ids: str | None = None

    @property
    def known_end(self) -> tuple[int | None, float | None]:
        """The number of requests of the run, and its duration in seconds; None for what the options do not fix.

        Both are None for a run of several parts.
        """
        parts = self.warmup or self.sweep or self.repeat or self.stages or self.find_max
        return (None, None) if parts else (self.requests, self.time_limit_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the user sees of a run in progress.

    Args:
        progress: called about five times a second with the numbers of completed and failed requests.
        live: collects the additional data of the live panel.
        say: prints the lines that `-v` adds.
        exporting: sends the figures of the panel to a collector.
    """

    progress: Callable[[int, int], None] | None
    live: Live | None
    say: Callable[[str], None]
    exporting: "Exporting | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """The result of a run.

    Args:
        ab_times: ab's four series, if every row was wanted.
        kept: the first reply of each kind of failure, masked, by file name; empty unless asked for.
        stopped_by: the signal that ended the run early.
        runs: with `--repeat`, the reports of all runs in the order of the runs.
        histograms: the histogram of every latency, if they were wanted.
    """

    report: Report
    ab_times: "AbTimes | None"
    kept: Mapping[str, str]
    stopped_by: signal.Signals | None
    runs: tuple[Report, ...] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """A description of the requests that a run would send.

    Args:
        request: the first request, credentials masked.
        phases: the name and the load of each phase.
        grid: for a sweep of batch sizes, what it measures and how long that takes at most.
    """

    request: str
    plan: PlanInfo
    phases: tuple[tuple[str, str], ...]
    target: str
    payloads: tuple[PayloadInfo, ...]
    grid: str | None = None
