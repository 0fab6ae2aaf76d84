"""The result of a sweep of batch sizes: the state of each point, the Pareto front, and the point to use.

A point is measured in several rounds. Its latencies, counts and rows per second are those of all rounds together. The
interval of rows per second comes from the rounds, because the requests of one round share its conditions. The interval
of p99 is the report's, from order statistics. If the sample is too small for it, the p99s of the rounds are used.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from epkit.core.load.criteria import BATCH_ROWS
from epkit.core.load.grid import ROUNDS, GridState, PointSpec, Standing, front
from epkit.core.report.report import (
    FailureExample,
    Grid,
    GridPoint,
    Latencies,
    Report,
    Search,
    Threshold,
    Throughput,
)
from epkit.core.report.slo import Slo, evaluate, implied
from epkit.core.report.summary import Summary
from epkit.core.report.wording import plural
from epkit.core.stats.student import mean_interval

NEAR: Final = 0.1
"""A point counts as equally good if it is slower by at most this fraction, and not by more than noise."""

SURE: Final = 2
"""An objective without an interval is surely missed if at least this many rounds, and all of them, missed it."""

POINT_SAMPLES: Final = 200_000
"""Samples of each point that are kept: 16 MB."""


@dataclass(slots=True)
class PointRecord:
    """The data of a point during the sweep.

    Args:
        summary: the samples of all rounds.
        body_bytes: mean size of a request's body.
        overdue: whether requests were still in flight when its time was over.
    """

    spec: PointSpec
    slos: Sequence[Slo]
    summary: Summary
    body_bytes: int
    rounds: list[Report] = field(default_factory=list)
    confirmation: Report | None = None
    overdue: bool = False
    _latencies: Latencies | None = None

    def add(self, report: Report, *, confirms: bool = False) -> None:
        """Add the report of a round; the summary already has its samples."""
        self.rounds.append(report)
        self._latencies = None
        if confirms:
            self.confirmation = report

    @property
    def latencies(self) -> Latencies:
        """The latencies of all rounds together; cached, because there are many samples."""
        if self._latencies is None:
            self._latencies, _ = self.summary.latencies(closed=True)
        return self._latencies

    @property
    def sending_s(self) -> float:
        """Return the total time during which requests were sent."""
        return sum(map(_sending_s, self.rounds))

    @property
    def throughput(self) -> Throughput:
        """The rates of all rounds together."""
        whole = self.sending_s

        def rate(pick: Callable[[Throughput], float]) -> float:
            return sum(pick(each.throughput) * _sending_s(each) for each in self.rounds) / whole if whole else 0.0

        return Throughput(
            requests_per_s=rate(lambda one: one.requests_per_s),
            ok_per_s=rate(lambda one: one.ok_per_s),
            bytes_in_per_s=rate(lambda one: one.bytes_in_per_s),
            bytes_out_per_s=rate(lambda one: one.bytes_out_per_s),
            sending_s=whole,
            rows_per_s=rate(_rows_per_s),
        )

    @property
    def rows_ci95(self) -> tuple[float, float] | None:
        """The 95 % interval of its rows per second."""
        return _around(_rows_per_s(self.throughput), [_rows_per_s(each.throughput) for each in self.rounds])

    @property
    def p99_ci95(self) -> tuple[float, float] | None:
        """The 95 % interval of its p99, in ms."""
        service = self.latencies.service
        if service is None:
            return None
        if service.ci95["99"] is not None:
            return service.ci95["99"]
        known = [each.latency_ms.service for each in self.rounds]
        return _around(service.percentiles["99"], [one.percentiles["99"] for one in known if one is not None])

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The results of the objectives, for all rounds together."""
        counts = self.summary.counters.counts()
        return evaluate(self.slos, counts=counts, throughput=self.throughput, latency_ms=self.latencies)

    def standing(self) -> Standing:
        """Return the state of the point between two rounds."""
        if self.overdue or not self.summary.counters.counts().ok:
            return Standing(state=GridState.FAILED, words=self._failed())
        for slo, threshold in zip(implied(self.slos), self.thresholds, strict=True):
            if not threshold.passed and self._is_sure(slo):
                return self._missing(slo, threshold)
        return Standing(state=GridState.MEASURED, rows_per_s=self.rows_ci95, p99_ms=self.p99_ci95)

    def final(self) -> Standing:
        """Return the final state of the point: it misses an objective if its estimate does."""
        standing = self.standing()
        if standing.state is not GridState.MEASURED:
            return standing
        for slo, threshold in zip(implied(self.slos), self.thresholds, strict=True):
            if not threshold.passed:
                return self._missing(slo, threshold)
        confirmed = self.thresholds if self.confirmation is None else self.confirmation.thresholds
        for slo, threshold in zip(implied(self.slos), confirmed, strict=True):
            if not threshold.passed:
                missing = self._missing(slo, threshold)
                return replace(missing, words=f"{missing.words} in the run that was to confirm it")
        return standing

    def _missing(self, slo: Slo, threshold: Threshold) -> Standing:
        if slo.metric == "failed":
            return Standing(state=GridState.FAILED, words=self._failed())
        words = f"misses {threshold.expression} (observed {threshold.observed:.4g})"
        return Standing(state=GridState.MISSED, words=words)

    def _failed(self) -> str:
        counts = self.summary.counters.counts()
        if self.overdue:
            return f"requests took longer than the time of the point (-t): {counts.ok} were over by then"
        return f"{counts.failed} of {counts.sent} requests failed"

    def _is_sure(self, slo: Slo) -> bool:
        """Tell whether an objective that is missed so far is certain to be missed."""
        if slo.metric == "failed" and not slo.share:
            return True  # a count can only grow
        if slo.part and (slo.percentile or slo.metric == "mean"):
            latency = getattr(self.latencies, slo.part)
            bounds = None if latency is None else latency.ci95[slo.percentile or "mean"]
            if bounds is not None:
                return not any(slo.met(bound) for bound in bounds)
        missed = [
            not threshold.passed
            for each in self.rounds
            for threshold in each.thresholds
            if threshold.expression == slo.expression
        ]
        return len(missed) >= SURE and all(missed)

    def point(self, out: tuple[GridState, str] | None, ended: str) -> GridPoint:
        """Return the final description of the point.

        Args:
            out: why its measurement was stopped.
            ended: why it has fewer rounds than planned for a reason other than its own result.
        """
        final = self.final()
        state, words = (final.state, final.words) if out is None else out
        if out is None and len(self.rounds) < ROUNDS:
            words = "; ".join(filter(None, (words, f"{plural(len(self.rounds), 'round')} of {ROUNDS}: {ended}")))
        counts = self.summary.counters.counts()
        failures = [example for each in self.rounds for example in each.failures]
        doubts = [reason.text for each in self.rounds for reason in each.validity.reasons if counts.ok]
        return GridPoint(
            rows=self.spec.rows,
            concurrency=self.spec.concurrency,
            state=state,
            words=words,
            rounds=len(self.rounds),
            sending_s=self.sending_s,
            body_bytes=self.body_bytes,
            sent=counts.sent,
            ok=counts.ok,
            failed=counts.failed,
            rows_per_s=_rows_per_s(self.throughput),
            rows_ci95=self.rows_ci95,
            service=self.latencies.service,
            p99_ci95=self.p99_ci95,
            failure=_most(failures),
            doubts=tuple(dict.fromkeys(doubts)),
        )


def untried(spec: PointSpec, body_bytes: int, ended: str) -> GridPoint:
    """Return the description of a point that was never measured."""
    return GridPoint(
        rows=spec.rows,
        concurrency=spec.concurrency,
        state=GridState.UNTRIED,
        words=f"never tried: {ended}",
        rounds=0,
        sending_s=0.0,
        body_bytes=body_bytes,
        sent=0,
        ok=0,
        failed=0,
        rows_per_s=0.0,
        rows_ci95=None,
        service=None,
    )


def choose(points: Sequence[GridPoint], confirmed: Collection[int] = ()) -> int | None:
    """Return the index of the point to use: of those as good as the fastest, the one with the least load on the server.

    A point is as good if it is slower by at most `NEAR`, and not by more than the intervals. The least load is the
    lowest concurrency, then the fewest rows. None if no point meets the objectives.

    Args:
        confirmed: indices of points that a separate run confirmed. One of them that is as good is preferred, because a
            difference within noise does not justify another run.
    """
    fit = {i: point for i, point in enumerate(points) if point.state is GridState.MEASURED}
    if not fit:
        return None
    fastest = max(fit.values(), key=lambda point: point.rows_per_s)
    good = [i for i, point in fit.items() if point is fastest or _as_good(point, fastest)]
    return min(good, key=lambda i: (i not in confirmed, points[i].concurrency, points[i].rows))


def on_front(points: Sequence[GridPoint]) -> tuple[GridPoint, ...]:
    """Mark the points on the Pareto front, among those without failed requests."""
    measured = [i for i, point in enumerate(points) if point.p99 is not None and point.state is not GridState.FAILED]
    marks = front((points[i].rows_per_s, points[i].p99 or 0.0) for i in measured)
    best = {i for i, mark in zip(measured, marks, strict=True) if mark}
    return tuple(replace(point, is_front=i in best) for i, point in enumerate(points))


def outcome(grid: Grid, slos: Sequence[Slo], *, confirmed: bool, took_s: float) -> Search:
    """Return the result of the search.

    Args:
        confirmed: whether a separate run confirmed the chosen point.
        took_s: duration of the whole search.
    """
    aim = " and ".join(slo.expression for slo in slos)
    spent = f"{len(grid.points)} points in {took_s:.0f} s"
    if grid.chosen is None:
        words = f"no point keeps {aim or 'failed==0'} ({spent})"
        return _search(aim, None, words, confirmed=False)
    point = grid.points[grid.chosen]
    fastest = max((one for one in grid.points if one.state is GridState.MEASURED), key=lambda one: one.rows_per_s)
    words = f"use {point.rows} rows a request and {point.concurrency} in flight: {_figures(point)}"
    keeps = f" of those that keep {aim}" if aim else ""
    if point is fastest:
        words += f"; the fastest{keeps}"
    else:
        words += (
            f"; as fast as {fastest.name}, the fastest{keeps}, within noise and {NEAR:.0%}, with fewer requests in "
            "flight or fewer rows"
        )
    if not confirmed:
        words += "; not confirmed: the time was up"
    return _search(aim, float(point.rows), f"{words} ({spent})", confirmed=confirmed)


def grid_of(
    records: Mapping[PointSpec, PointRecord | None],
    out: Mapping[PointSpec, tuple[GridState, str]],
    sizes: Mapping[int, int],
    *,
    ended: str,
) -> tuple[GridPoint, ...]:
    """Return the descriptions of all points.

    Args:
        records: in the order of the grid; None for a point that was never measured.
        out: for each point, why its measurement was stopped.
        sizes: mean size of a body in bytes, by its number of rows.
        ended: for each point, why it has fewer rounds than planned for another reason.
    """
    return on_front(
        [
            untried(spec, sizes[spec.rows], ended) if record is None else record.point(out.get(spec), ended)
            for spec, record in records.items()
        ]
    )


def _search(aim: str, value: float | None, words: str, *, confirmed: bool) -> Search:
    return Search(kind=BATCH_ROWS, expression=aim, value=value, above=None, confirmed=confirmed, words=words)


def _figures(point: GridPoint) -> str:
    rows = f"{point.rows_per_s:,.0f} rows/s"
    if point.rows_ci95 is not None:
        rows += f" (95 % interval {point.rows_ci95[0]:,.0f} to {point.rows_ci95[1]:,.0f})"
    p99 = "" if point.p99 is None else f", p99 {point.p99:.4g} ms"
    bounds = point.p99_ci95
    return f"{rows}{p99}" + (f" ({bounds[0]:.4g} to {bounds[1]:.4g})" if bounds else "")


def _as_good(point: GridPoint, fastest: GridPoint) -> bool:
    if point.rows_per_s < (1 - NEAR) * fastest.rows_per_s or point.rows_ci95 is None or fastest.rows_ci95 is None:
        return False
    return point.rows_ci95[1] >= fastest.rows_ci95[0]


def _most(failures: Sequence[FailureExample]) -> FailureExample | None:
    """Return the first failure of the most frequent kind, with the number of such failures."""
    counted: dict[tuple[str, int], FailureExample] = {}
    for example in failures:
        kind = example.kind, example.status
        known = counted.get(kind)
        counted[kind] = example if known is None else replace(known, count=known.count + example.count)
    return max(counted.values(), key=lambda example: example.count, default=None)


def _around(estimate: float, of_rounds: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval of an estimate from all rounds, as wide as that of the mean of the rounds."""
    bounds = mean_interval(of_rounds)
    if bounds is None:
        return None
    half = (bounds[1] - bounds[0]) / 2
    return max(0.0, estimate - half), estimate + half


def _sending_s(report: Report) -> float:
    return report.run.duration_s if report.throughput.sending_s is None else report.throughput.sending_s


def _rows_per_s(throughput: Throughput) -> float:
    return throughput.rows_per_s or 0.0
