"""Compares two arms of runs: how much a metric differs, and whether this is more than the variation between runs.

The run, not the request, is the replicate. Requests of one run share its conditions (a warm cache, a busy neighbour). A
test over pooled requests would often find a difference between equals. So each run gives one number for each metric.
The logarithms of these numbers are compared, with Welch's interval for the ratio of the arms. The fraction of failures
can be zero, so it is compared without logarithms.

A metric is *faster* or *slower* if its interval excludes "no change" after Holm's correction, and its estimate is
beyond the practical threshold. Everything else is *no difference shown*, which does not mean that there is none. The
metrics of gates are corrected among themselves, all others together.

Source: Kalibera & Jones (2013), Rigorous benchmarking in reasonable time; Welch (1947); Holm (1979).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from epkit.core.display import Displayed
from epkit.core.report.gates import METRICS, ChangeGate
from epkit.core.report.report import Report
from epkit.core.stats.distribution import Distribution
from epkit.core.stats.percentiles import PS, floor
from epkit.core.stats.welch import ALPHA, holm, welch

FORMAT: Final = "epkit.comparison/1"
THRESHOLD: Final = 0.03
"""A smaller change has no practical importance, however certain it is."""

LEAST_RUNS: Final = 3
"""With fewer runs in an arm, a gate has no verdict."""

LEAST_FOR_P999: Final = 1000

FASTER, SLOWER, SAME, UNKNOWN = "faster", "slower", "no difference shown", "no run-to-run information"
BETTER_UP: Final = ("throughput", "rows")
"""Metrics whose greater value is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side of a comparison.

    Args:
        name: name of the file or directory, as the user gave it.
        reports: of its runs, at least one.
    """

    name: str
    reports: tuple[Report, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets, without repetitions."""
        return tuple(dict.fromkeys(report.run.target for report in self.reports))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference of a metric.

    Args:
        base, new: the arms' values: ms (geometric mean over runs), requests/s, or the fraction that failed; None if a
            run does not have it.
        ratio: new / base, None if it has no meaning.
        ci95: 95 % interval of the ratio.
        p: probability of such a difference between equal arms, after Holm's correction; None if it is not known.
        verdict: for a fraction of failures, *slower* means more of them.
        difference: new − base, with its interval; only for the fraction of failures.
    """

    name: str
    base: float | None
    new: float | None
    verdict: str
    ratio: float | None = None
    ci95: tuple[float, float] | None = None
    p: float | None = None
    difference: tuple[float, float, float] | None = None

    @property
    def change(self) -> float | None:
        """The change for a gate: relative to the base; for failures, relative to all requests."""
        if self.name == "failed":
            return None if self.base is None or self.new is None else self.new - self.base
        return None if self.ratio is None else self.ratio - 1

    def judged(self, p: float | None, threshold: float) -> "Change":
        """Return the change with a verdict, from a probability that is corrected for the number of metrics."""
        verdict = self.verdict
        if p is not None and p < ALPHA:
            change = self.change if self.name != "failed" else None
            if change is None and self.difference is not None:
                verdict = SLOWER if self.difference[0] > 0 else FASTER
            elif change is not None and abs(math.log1p(change)) > math.log1p(threshold):
                verdict = FASTER if (change > 0) == (self.name in BETTER_UP) else SLOWER
        return replace(self, p=p, verdict=verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A gate and its result."""

    gate: ChangeGate
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Displayed):
    """The whole comparison of two arms."""

    base: Arm
    new: Arm
    threshold: float
    metrics: tuple[Change, ...]
    gates: tuple[Judged, ...]
    warnings: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether no gate was exceeded."""
        return all(judged.passed for judged in self.gates)


def compare(base: Arm, new: Arm, *, threshold: float = THRESHOLD, gates: Sequence[ChangeGate] = ()) -> Comparison:
    """Compare two arms.

    Args:
        threshold: the least change of interest, as a fraction.
        gates: limits for the changes.
    """
    wanted = {gate.metric for gate in gates}
    fewest = min((times.count if (times := latency(r)) else 0) for arm in (base, new) for r in arm.reports)
    # With a hundred requests, the largest is no p99.9. And each additional metric makes the correction stricter.
    left_out = {
        name
        for name, is_known in (("p99.9", fewest >= LEAST_FOR_P999), ("rows", _are_unlike(base, new)))
        if not is_known
    }
    names = [name for name in METRICS if name not in left_out - wanted]
    raw = [_measure(name, base, new) for name in names]
    everyone = holm({each.name: each.p for each in raw if each.p is not None})
    gated = holm({each.name: each.p for each in raw if each.p is not None and each.name in wanted})
    metrics = tuple(each.judged((everyone | gated).get(each.name), threshold) for each in raw)
    by_name = {metric.name: metric for metric in metrics}
    return Comparison(
        base=base,
        new=new,
        threshold=threshold,
        metrics=metrics,
        gates=tuple(Judged(gate=gate, passed=not _passed_by(gate, by_name[gate.metric])) for gate in gates),
        warnings=tuple(_warnings(base, new, metrics)),
    )


def _are_unlike(base: Arm, new: Arm) -> bool:
    """Tell whether requests have different numbers of rows; with equal ones, rows/s shows the same as requests/s."""

    def per_request(arm: Arm) -> float:
        rates = [report.throughput for report in arm.reports]
        return sum((rate.rows_per_s or math.nan) / (rate.ok_per_s or math.nan) for rate in rates) / len(rates)

    ratio = per_request(base) / per_request(new)
    return math.isfinite(ratio) and abs(math.log(ratio)) > math.log1p(THRESHOLD)


def _passed_by(gate: ChangeGate, metric: Change) -> bool:
    """Tell whether the estimate exceeds a gate, and chance does not explain it."""
    change = metric.change
    return change is not None and gate.passed_by(change) and metric.p is not None and metric.p < ALPHA


def missing(comparison: Comparison) -> list[str]:
    """Return the metrics of gates without a verdict."""
    unknown = {metric.name for metric in comparison.metrics if metric.p is None}
    return [judged.gate.metric for judged in comparison.gates if judged.gate.metric in unknown]


def mismatches(base: Arm, new: Arm) -> list[str]:
    """Return the differences between the runs other than the target. They make a comparison meaningless."""
    first, found = base.reports[0], []
    for report in (*base.reports[1:], *new.reports):
        for name, before, after in _conditions(first, report):
            line = f"{name}: {before} and {after}"
            if before != after and line not in found:
                found.append(line)
    return found


def _conditions(one: Report, other: Report) -> Iterable[tuple[str, Any, Any]]:
    for name in (
        "model",
        "concurrency",
        "requests",
        "duration_s",
        "rate",
        "arrivals",
        "warmup",
        "workers",
        "keepalive",
    ):
        yield name, getattr(one.plan, name), getattr(other.plan, name)
    yield "engine", one.tool.engine, other.tool.engine
    yield "method", one.run.method, other.run.method
    sums = [[payload.sha256[:12] for payload in report.run.payloads] for report in (one, other)]
    yield "payloads", sums[0], sums[1]


def _measure(name: str, base: Arm, new: Arm) -> Change:
    both = [np.array([_value(name, report) for report in arm.reports], dtype=np.float64) for arm in (base, new)]
    verdict = UNKNOWN if min(map(len, both)) < 2 else SAME
    if name == "failed" and not any(np.isnan(values).any() for values in both):
        return _shares(name, both, verdict)
    if not all(
        (values > 0).all() for values in both
    ):  # a run does not have it, or none was completed: no ratio to zero
        return Change(name=name, base=_finite(both[0].mean()), new=_finite(both[1].mean()), verdict=verdict)
    logs = [np.log(values) for values in both]
    found = welch(*logs)
    middle = float(logs[1].mean() - logs[0].mean())
    return Change(
        name=name,
        base=math.exp(logs[0].mean()),
        new=math.exp(logs[1].mean()),
        ratio=math.exp(middle),
        ci95=None if found is None else (math.exp(middle - found[1]), math.exp(middle + found[1])),
        p=None if found is None else found[2],
        verdict=verdict,
    )


def _shares(name: str, both: Sequence[np.ndarray], verdict: str) -> Change:
    base, new = (float(values.mean()) for values in both)
    found = welch(*both)
    ratio = new / base if base > 0 else None
    return Change(
        name=name,
        base=base,
        new=new,
        ratio=ratio,
        ci95=None if found is None or ratio is None else (max(0.0, ratio - found[1] / base), ratio + found[1] / base),
        difference=None if found is None else (found[0], found[0] - found[1], found[0] + found[1]),
        p=None if found is None else found[2],
        verdict=verdict,
    )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def latency(report: Report) -> Distribution | None:
    """Return the latency to compare: the user's wait, which in an open loop begins when a request is due."""
    return report.latency_ms.response


def _value(name: str, report: Report) -> float:
    """Return a run's number; NaN where it has none."""
    if name == "throughput":
        return report.throughput.ok_per_s
    if name == "rows":
        rows_per_s = report.throughput.rows_per_s
        return math.nan if rows_per_s is None else rows_per_s
    if name == "failed":
        return report.counts.failed / report.counts.sent if report.counts.sent else math.nan
    times = latency(report)
    if times is None:
        return math.nan
    value = times.mean if name == "mean" else times.percentiles[name[1:]]
    return value if math.isfinite(value) else math.nan


def _warnings(base: Arm, new: Arm, metrics: Sequence[Change]) -> Iterable[str]:
    least = min(len(base.reports), len(new.reports))
    if least == 1:
        yield "one run an arm: no run-to-run information, so no verdict; make several (--repeat, or save more runs)"
    elif least < LEAST_RUNS:
        yield f"{least} runs an arm: the intervals are wide; five or more are better"
    for arm in (base, new):
        if len(arm.targets) > 1:
            yield f"{arm.name}: its runs went to different targets: {', '.join(arm.targets)}"
        invalid = [report for report in arm.reports if not report.validity.valid]
        if invalid:
            many = f"{len(invalid)} of {len(arm.reports)} runs are not valid"
            yield f"{arm.name}: {many}: {invalid[0].validity.reasons[0].text}"
        if any(report.run.partial for report in arm.reports):
            yield f"{arm.name}: not every run is complete"
    named = {metric.name for metric in metrics}
    few = min((times.count if (times := latency(r)) else 0) for arm in (base, new) for r in arm.reports)
    for name in ("p99", "p99.9"):
        if name in named and few < floor(PS[name[1:]]):
            yield f"{name} needs {floor(PS[name[1:]])} requests a run, the smallest has {few}"
            break


_DOCUMENTED: Final = ("name", "base", "new", "ratio", "ci95", "verdict")
"""Fields of each metric in the document."""


def to_document(comparison: Comparison) -> dict[str, Any]:
    """Turn a comparison into plain JSON values: `epkit.comparison/1`."""
    return {
        "format": FORMAT,
        "base": _arm(comparison.base),
        "new": _arm(comparison.new),
        "threshold": comparison.threshold,
        "metrics": [{name: getattr(metric, name) for name in _DOCUMENTED} for metric in comparison.metrics],
        "passed": comparison.passed,
    }


def _arm(arm: Arm) -> dict[str, Any]:
    return {
        "name": arm.name,
        "targets": list(arm.targets),
        "runs": [report.run.id for report in arm.reports],
    }
