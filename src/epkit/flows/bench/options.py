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
    """Read how deep replies are looked at; what is expected of them is the deepest.

    Raises:
        UsageError: no such depth.
    """
    depths = {depth.name.lower(): depth for depth in Depth}
    if name not in depths:
        raise not_one_of(flag, name, depths)
    return Depth.EXPECT if expect is not None else depths[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """What `epkit bench` was asked for; see its help for each.

    Args:
        requests, time_limit_s: what ends the run; with both, whichever comes first; with neither, one request.
        concurrency: most in flight; None for 1 in a closed loop, 1,000 (httpx: 100) in an open one.
        rate, stages, sweep, find_max: at most one of them; without any the loop is closed. A sweep with `rows=` is one
            of batch sizes.
        arrivals: `constant` or `poisson`, where there is a rate.
        warmup: requests, or a time such as `10s`, that are run first and reported apart.
        until: ends the run when an estimate is tight.
        repeat, against: number of runs, each followed by one against the other target.
        strict: whether a run that is not valid has missed its aim.
        timeout_s: one request's; None for the target's own.
        workers, cluster: how many processes of this machine make the load, or a Dask scheduler whose
            workers do; None for this process.
        engine: `wire`, `httpx`, or None for what the other options need.
        rows_wanted: whether every row is kept, for ab's files and report.
        expect: a file of golden predictions, for the deepest check.
        slos: objectives that the report is held against.
        abort_on_slo: whether the run ends when one of them, or that nothing fails, can no longer be met.
        failures_as_infinite: whether a failure counts as an infinite response time.
        save: the file that the run is saved to.
        samples: the table that every sample is written to.
        histograms_wanted: whether the latencies are wanted as histograms too, for a report to look at.
        otlp: URL of an OpenTelemetry collector that the run is sent to while it goes on.
        request_ids: the header in which each request is sent with an id; None for none.
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
        """How many requests there will be and how many seconds they go on, None where nothing says so.

        Of a run of several parts neither is how far the whole is.
        """
        parts = self.warmup or self.sweep or self.repeat or self.stages or self.find_max
        return (None, None) if parts else (self.requests, self.time_limit_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a user sees of a run while it goes on.

    Args:
        progress: called about five times a second with the number of requests done and failed.
        live: collects what a display shows in addition.
        say: prints what `-v` shows.
        exporting: sends what a display shows to a collector.
    """

    progress: Callable[[int, int], None] | None
    live: Live | None
    say: Callable[[str], None]
    exporting: "Exporting | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchResult:
    """What came of a run.

    Args:
        ab_times: ab's four series, where every row was wanted.
        kept: the first reply of each kind of failure by the name of a file, masked; empty unless asked for.
        stopped_by: the signal that ended it early.
        runs: of `--repeat`, the reports of all runs in the order in which they were made.
        histograms: of every latency, where they were wanted.
    """

    report: Report
    ab_times: "AbTimes | None"
    kept: Mapping[str, str]
    stopped_by: signal.Signals | None
    runs: tuple[Report, ...] = ()
    histograms: Mapping[str, Histogram] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a run would send.

    Args:
        request: the first one, credentials masked.
        phases: name and load of each.
        grid: of a sweep of batch sizes, what it measures and how long that takes at most.
    """

    request: str
    plan: PlanInfo
    phases: tuple[tuple[str, str], ...]
    target: str
    payloads: tuple[PayloadInfo, ...]
    grid: str | None = None
