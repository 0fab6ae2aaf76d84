"""The samples of a run, collected: `Summary` takes blocks and says what they tell; a report is made of that.

Up to a limit the rows themselves are kept and everything is exact. Rows beyond the limit go into histograms
and are forgotten, at a fraction of a microsecond each: nothing is converted in mid-run, when a pause would be
measured as latency. For the same reason the rows kept are counted when somebody asks for the counters; only a run
that nears the limit counts on the way. What is asked for at the end joins both; only the correlation behind the
intervals is that of the rows kept.
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
"""How many rows are kept: 160 MB."""

CATCH_UP: Final = 3
"""Past half of the limit, how many rows are counted per row that is added, so that all are counted at the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryState:
    """What was counted of samples, on its way to another process."""

    rows: int
    later: Mapping[str, Histogram]
    windows: Windows
    deployments: Mapping[int, Histogram]
    counters: Counters
    slowest: bytes = b""


class Summary:
    """Collects the samples of a run.

    Args:
        exact: how many rows are kept, the first ones.
        failures_as_infinite: whether a failure counts in the response time, as an infinite one.
        rows_of: how many rows each payload holds, by its index; rates of rows are of payloads that all tell.
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
        self._counted = 0  # of the rows kept

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
        """Take what another process has collected, without a loss.

        Args:
            digest: one that keeps no rows (*exact* is 0).
            deployments: what the deployments that *digest* knows by their index are called here; None for the same.
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
        """Return what travels to another process; of a summary that keeps no rows."""
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
        """Make the summary again; its rows are those that its counters know.

        Raises:
            ValueError: nothing that was counted has such a state.
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
        """What can be counted, of every row so far."""
        self._count(len(self._kept))
        return self._counters

    def _count(self, rows: int) -> None:
        """Count that number of rows that were kept and not yet counted, the oldest first."""
        for piece in self._kept.pieces(self._counted, self._counted + rows):
            self._counters.add(piece)
            self._counted += len(piece)

    @property
    def rows(self) -> int:
        """How many rows there were so far."""
        return self._rows

    def later(self, name: str) -> Histogram:
        """Return the histogram of a latency (`PARTS`), of the rows that were not kept."""
        return self._later[name]

    def named_deployments(self) -> Iterable[int]:
        """Return the index of each deployment that something is known of, but for 0, which is *not named*."""
        return {*self._later_deployments, *self.counters.by_deployment()} - {0}

    @property
    def complete(self) -> bool:
        """Whether `blocks` are all there is: so far no row had to go into a histogram."""
        return self._rows == len(self._kept)

    @property
    def kept(self) -> int:
        """How many rows `blocks` hands out."""
        return len(self._kept)

    def blocks(self) -> Iterator[np.ndarray]:
        """Hand out the rows that were kept, in order of completion; not to be changed."""
        return self._kept.pieces()

    def histograms(self) -> dict[str, Histogram]:
        """Return every latency of which there is a sample as a histogram; see `PARTS` for the names."""
        wholes = {
            name: _joined((series(name, block) for block in self._kept.pieces()), later)
            for name, later in self._later.items()
        }
        return {name: whole for name, whole in wholes.items() if whole.count}

    def slowest(self) -> np.ndarray:
        """Return the slowest requests that succeeded, as rows, the slowest first."""
        found = Slowest()
        for block in self._kept.pieces():
            found.add(block)
        found.merge(self._later_slowest)
        return found.rows

    def pace(self, sending_ns: int | None, duration_ns: int) -> Pace:
        """Say what the rates of the run are made from.

        Args:
            sending_ns: when the last request was sent or its schedule ended; None where that is not known.
            duration_ns: of the run, to the last reply.
        """
        counters = self.counters
        counts, received, in_flight_ns = counters.counts(), counters.received, counters.in_flight_ns
        rows: float | None = None if self._rows_of is None else counters.rows(self._rows_of)
        late = Late(rows_of=self._rows_of)
        whole = sending_ns is None or not 0 < sending_ns < duration_ns
        if sending_ns is not None and not whole:
            for block in self._kept.pieces():
                late.add(block, sending_ns)
            # Of rows that were not kept the time series is all that tells when they ended.
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
        """Describe a phase of which this has the rows.

        Args:
            phase: the plan of it.
            begin_ns: since the run began.
            most: most in flight in it.
            measured: whether the report as a whole counts it.
            sending_ns: as for `pace`, since the phase began.
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
        """Take rows into histograms."""
        for name, histogram in self._later.items():
            histogram.add(series(name, block))
        self._later_windows.add(block)
        self._later_slowest.add(block)
        for index in np.unique(block["deployment"]):
            histogram = self._later_deployments.setdefault(int(index), Histogram())
            histogram.add(series("service", block[block["deployment"] == index]))

    def latencies(self, *, closed: bool) -> tuple[Latencies, int]:
        """Describe every latency; and how many requests have one that a histogram cannot hold.

        Args:
            closed: whether a request was due when its slot was free: its response time is then its service time.
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
        """Describe what each deployment answered.

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
        """Describe one series: the rows kept, joined by the histogram of those that were not."""
        first = self._picked(pick)
        if self.complete:
            return distribution(first), 0
        whole = _joined([first], later)
        if not whole.count:
            return None, 0
        known = dependence(first, np.sort(first))
        return describe(whole.at, whole.count, whole.mean, whole.sd, known, BLUR), whole.clamped

    def _picked(self, pick: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return one series of the rows kept."""
        return np.concatenate([np.empty(0, dtype=np.int64), *map(pick, self._kept.pieces())])


def _joined(first: Iterable[np.ndarray], later: Histogram) -> Histogram:
    """Return the histogram of what was kept and of what was not."""
    whole = Histogram()
    for values_ns in first:
        whole.add(values_ns)
    whole.merge(later)
    return whole
