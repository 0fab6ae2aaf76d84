"""Collects the samples of a run: `Summary` takes blocks, and returns the data for a report.

Up to a limit the rows themselves are kept, and everything is exact. Further rows go into histograms and are dropped;
this takes a fraction of a microsecond for each. Nothing is converted during a run, because the pause would be measured
as latency. For the same reason the kept rows are counted only when somebody reads the counters, or when a run
approaches the limit. The results join both parts; only the correlation, which the intervals need, comes from the kept
rows alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Self

import numpy as np

from epkit.core.load.plan import Phase
from epkit.core.report.counters import Counters
from epkit.core.report.pace import Late, Pace
from epkit.core.report.report import DeploymentInfo, Latencies, PhaseInfo, Window
from epkit.core.report.slowest import Slowest
from epkit.core.report.windows import Windows
from epkit.core.samples.latency import PARTS, series
from epkit.core.samples.rows import SampleStore
from epkit.core.stats.distribution import Distribution
from epkit.core.stats.histogram import BLUR, Histogram
from epkit.core.stats.percentiles import dependence, describe, distribution, with_failures

EXACT: Final = 2_000_000
"""Number of rows that are kept: 160 MB."""

CATCH_UP: Final = 3
"""Past half of the limit, this number of kept rows is counted for each new row; so all are counted at the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryState:
    """The counts of samples, on their way to another process."""

    rows: int
    later: Mapping[str, Histogram]
    windows: Windows
    deployments: Mapping[int, Histogram]
    counters: Counters
    slowest: bytes = b""


class Summary:
    """Collects the samples of a run.

    Args:
        exact: number of rows that are kept, the first ones.
        failures_as_infinite: whether a failure counts as an infinite response time.
        rows_of: number of rows of each payload, by its index; rates of rows need the number of every payload.
    """

    def __init__(
        self, exact: int = EXACT, *, failures_as_infinite: bool = False, rows_of: Sequence[int | None] = ()
    ) -> None:
        self._failures_as_infinite = failures_as_infinite
        known = [rows for rows in rows_of if rows is not None]
        self._rows_of = np.array(known, dtype=np.int64) if known and len(known) == len(rows_of) else None
        self._exact = exact
        self._rows = 0
        self._kept = SampleStore()
        self._later = {name: Histogram() for name in PARTS}
        self._later_windows = Windows(exact=False)
        self._later_deployments: dict[int, Histogram] = {}
        self._later_slowest = Slowest()
        self._counters = Counters()
        self._counted = 0  # number of kept rows that are counted

    def add(self, block: np.ndarray) -> None:
        """Take a block of samples.

        Args:
            block: rows of `SAMPLE` in order of completion, times in ns since the run began; copied where it
                is kept.
        """
        if not len(block):
            return
        room = max(0, self._exact - len(self._kept))
        self._rows += len(block)
        self._kept.add(block[:room])
        if self._rows > self._exact // 2:
            self._count(CATCH_UP * len(block))
        if len(block) > room:
            self.counters.add(block[room:])
            self._blur(block[room:])

    def merge(self, digest: "Summary", deployments: Sequence[int] | None = None) -> None:
        """Add what another process has collected, without a loss.

        Args:
            digest: a summary that keeps no rows (*exact* is 0).
            deployments: this object's indices of the deployments of *digest*, by index; None: the same.
        """
        assert not digest._kept
        self._rows += digest._rows
        for name, histogram in digest._later.items():
            self._later[name].merge(histogram)
        self._later_windows.merge(digest._later_windows)
        for index, histogram in digest._later_deployments.items():
            here = index if deployments is None else deployments[index]
            self._later_deployments.setdefault(here, Histogram()).merge(histogram)
        self._later_slowest.merge(digest._later_slowest)
        self._count(len(self._kept))
        self._counters.merge(digest._counters, deployments)

    def state(self) -> SummaryState:
        """Return the state to send to another process; only for a summary that keeps no rows."""
        assert not self._kept
        return SummaryState(
            rows=self._rows,
            later=self._later,
            windows=self._later_windows,
            deployments=self._later_deployments,
            counters=self._counters,
            slowest=self._later_slowest.state(),
        )

    @classmethod
    def restored(cls, state: SummaryState) -> Self:
        """Make the summary from a state; its number of rows is that of its counters.

        Raises:
            ValueError: no summary can have such a state.
        """
        made = cls(exact=0)
        if state.later.keys() != made._later.keys() or not all(0 <= index < 256 for index in state.deployments):
            raise ValueError("other latencies than are measured")
        if state.rows != state.counters.sent:
            raise ValueError("other rows than were counted")
        made._rows = state.rows
        made._later = dict(state.later)
        made._later_windows, made._later_deployments = state.windows, dict(state.deployments)
        made._counters = state.counters
        made._later_slowest = Slowest.restored(state.slowest)
        return made

    @property
    def counters(self) -> Counters:
        """The counters of all rows so far."""
        self._count(len(self._kept))
        return self._counters

    def _count(self, rows: int) -> None:
        """Count this number of kept rows that are not counted yet, the oldest first."""
        for piece in self._kept.pieces(self._counted, self._counted + rows):
            self._counters.add(piece)
            self._counted += len(piece)

    @property
    def rows(self) -> int:
        """Number of rows so far."""
        return self._rows

    def later(self, name: str) -> Histogram:
        """Return the histogram of a latency (`PARTS`), for the rows that were not kept."""
        return self._later[name]

    def named_deployments(self) -> Iterable[int]:
        """Yield the index of each deployment that occurs, without 0, which is *not named*."""
        return {*self._later_deployments, *self.counters.by_deployment()} - {0}

    @property
    def complete(self) -> bool:
        """Whether `blocks` has all rows: so far no row went into a histogram."""
        return self._rows == len(self._kept)

    @property
    def kept(self) -> int:
        """Number of rows that `blocks` yields."""
        return len(self._kept)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield the kept rows, in order of completion; do not change them."""
        return self._kept.pieces()

    def histograms(self) -> dict[str, Histogram]:
        """Return the histogram of every latency that has samples; `PARTS` has the names."""
        wholes = {
            name: _joined((series(name, block) for block in self._kept.pieces()), later)
            for name, later in self._later.items()
        }
        return {name: whole for name, whole in wholes.items() if whole.count}

    def slowest(self) -> np.ndarray:
        """Return the slowest successful requests as rows, the slowest first."""
        found = Slowest()
        for block in self._kept.pieces():
            found.add(block)
        found.merge(self._later_slowest)
        return found.rows

    def pace(self, sending_ns: int | None, duration_ns: int) -> Pace:
        """Return the data for the rates of the run.

        Args:
            sending_ns: time of the last request or the end of its schedule; None if it is not known.
            duration_ns: duration of the run, until the last reply.
        """
        counters = self.counters
        counts, received, in_flight_ns = counters.counts(), counters.received, counters.in_flight_ns
        rows: float | None = None if self._rows_of is None else counters.rows(self._rows_of)
        late = Late(rows_of=self._rows_of)
        whole = sending_ns is None or not 0 < sending_ns < duration_ns
        if sending_ns is not None and not whole:
            for block in self._kept.pieces():
                late.add(block, sending_ns)
            # For rows that were not kept, only the time series shows when they ended.
            completed, ok, later_ns = self._later_windows.after(sending_ns)
            late.completed += round(completed)
            late.ok += round(ok)
            late.rows += (rows or 0) * ok / max(1, counts.ok)
            late.received += round(completed * received / max(1, counts.completed))
            late.in_flight_ns += round(later_ns)
            whole = 2 * late.completed > counts.completed
        if whole:
            late, sending_ns = Late(), duration_ns
        return Pace(
            over_ns=sending_ns or 0,
            completed=counts.completed - late.completed,
            ok=counts.ok - late.ok,
            received=received - late.received,
            in_flight_ns=in_flight_ns - late.in_flight_ns,
            whole=whole,
            rows=None if rows is None else rows - late.rows,
        )

    def phase(
        self, phase: Phase, *, begin_ns: int, duration_ns: int, most: int, measured: bool, sending_ns: int | None = None
    ) -> PhaseInfo:
        """Return the description of a phase; this summary has only its rows.

        Args:
            phase: its plan.
            begin_ns: its start, since the start of the run.
            most: greatest number of requests in flight.
            measured: whether it counts in the report as a whole.
            sending_ns: as for `pace`, since the start of the phase.
        """
        counts = self.counters.counts()
        pace = self.pace(sending_ns, duration_ns)
        service, _ = self._describe(partial(series, "service"), self._later["service"])
        response = service
        if phase.model == "open":
            response, _ = self._describe(partial(series, "response"), self._later["response"])
        return PhaseInfo(
            name=phase.name,
            load=phase.load,
            measured=measured,
            begin_s=begin_ns / 1e9,
            duration_s=duration_ns / 1e9,
            sent=counts.sent,
            ok=counts.ok,
            failed=counts.failed,
            requests_per_s=pace.per_s(pace.completed),
            ok_per_s=pace.per_s(pace.ok),
            rows_per_s=pace.rows_per_s,
            sending_s=pace.sending_s,
            late_starts=0 if phase.model == "closed" else self.counters.late,
            max_in_flight=most,
            service=service,
            response=response,
        )

    def _blur(self, block: np.ndarray) -> None:
        """Add rows to the histograms."""
        for name, histogram in self._later.items():
            histogram.add(series(name, block))
        self._later_windows.add(block)
        self._later_slowest.add(block)
        for index in np.unique(block["deployment"]):
            histogram = self._later_deployments.setdefault(int(index), Histogram())
            histogram.add(series("service", block[block["deployment"] == index]))

    def latencies(self, *, closed: bool) -> tuple[Latencies, int]:
        """Return the description of every latency, and the number of requests whose latency exceeds the histograms.

        Args:
            closed: whether each request is due when its slot is free: then the response time is the service time.
        """
        found, clamped = {}, 0
        for name, later in self._later.items():
            if closed and name == "response":
                continue
            found[name], lost = self._describe(partial(series, name), later)
            clamped = max(clamped, lost)
        if closed:
            found["response"] = found["service"]
        failed = self.counters.counts().failed
        if self._failures_as_infinite and failed:
            name = "service" if closed else "response"
            found["response"] = self._with_failures(partial(series, name), self._later[name], failed)
        return Latencies(**found), clamped

    def _with_failures(self, pick: Callable[[np.ndarray], np.ndarray], later: Histogram, failed: int) -> Distribution:
        first = self._picked(pick)
        ordered = np.sort(first)
        known = dependence(first, ordered)
        if self.complete:
            return with_failures(lambda place: int(ordered[place - 1]), len(first), failed, known)
        whole = _joined([first], later)
        return with_failures(whole.at, whole.count, failed, known, BLUR)

    def timeline(self, duration_ns: int) -> tuple[Window, ...]:
        """Return the time series of a run of *duration_ns*."""
        windows = Windows(exact=self.complete)
        for block in self._kept.pieces():
            windows.add(block)
        windows.merge(self._later_windows)
        return windows.series(duration_ns)

    def deployments(self, names: Sequence[str]) -> dict[str, DeploymentInfo]:
        """Return the description of each deployment.

        Args:
            names: by index; index 0 is *not named*, and left out.
        """

        def answered(index: int, block: np.ndarray) -> np.ndarray:
            return series("service", block[block["deployment"] == index])

        found = {}
        for index, (ok, failed) in self.counters.by_deployment().items():
            later = self._later_deployments.get(index, Histogram())
            service, _ = self._describe(partial(answered, index), later)
            found[names[index]] = DeploymentInfo(ok=ok, failed=failed, service=service)
        return found

    def _describe(self, pick: Callable[[np.ndarray], np.ndarray], later: Histogram) -> tuple[Distribution | None, int]:
        """Describe one series: the kept rows, and the histogram of the others."""
        first = self._picked(pick)
        if self.complete:
            return distribution(first), 0
        whole = _joined([first], later)
        if not whole.count:
            return None, 0
        known = dependence(first, np.sort(first))
        return describe(whole.at, whole.count, whole.mean, whole.sd, known, BLUR), whole.clamped

    def _picked(self, pick: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return one series of the kept rows."""
        return np.concatenate([np.empty(0, dtype=np.int64), *map(pick, self._kept.pieces())])


def _joined(first: Iterable[np.ndarray], later: Histogram) -> Histogram:
    """Return the histogram of all rows, kept or not."""
    whole = Histogram()
    for values_ns in first:
        whole.add(values_ns)
    whole.merge(later)
    return whole
