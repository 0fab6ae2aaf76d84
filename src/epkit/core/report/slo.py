"""Service-level objectives: parses `--slo 'p99<250ms'`, and decides whether a report meets it.

    SLO    = METRIC OP VALUE
    METRIC = p50 | p99.9 | … | mean | median | min | max   a latency, of the response unless `service.` or another
                                                            part of a request precedes it: `server.p99`
           | failed | ok | sent                             a count, or with % a share of what was sent
           | ok_per_s | requests_per_s | rows_per_s         a throughput
    OP     = < | <= | > | >= | ==
    VALUE  = a number with its unit: us, ms or s for a latency, nothing or % for a count, nothing for a throughput

The latency of a run without a success is infinite, so it meets no upper limit.
"""

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from epkit.core.report.report import Counts, Latencies, Threshold, Throughput
from epkit.core.stats.distribution import PERCENTILES, Distribution
from epkit.errors import UsageError

GRAMMAR: Final = (
    "write METRIC OP VALUE, as in p99<250ms, server.mean<=0.1s, failed<0.1%, failed==0, ok_per_s>50 "
    "(METRIC: pN, mean, median, min, max, failed, ok, sent, ok_per_s, requests_per_s, rows_per_s; OP: < <= > >= ==)"
)

OPERATORS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
MOMENTS: Final = ("mean", "median", "min", "max")
COUNTS: Final = ("failed", "ok", "sent")
RATES: Final = ("ok_per_s", "requests_per_s", "rows_per_s")
UNITS_MS: Final[Mapping[str, float]] = {"us": 0.001, "µs": 0.001, "ms": 1.0, "s": 1000.0}

_METRIC: Final = re.compile(r"\s*([A-Za-z_]+\.)?(p[0-9.]+|[A-Za-z_]+)")
_OP: Final = re.compile(r"\s*(<=|>=|==|=|<|>)")
_VALUE: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*+([A-Za-zµ%/]*)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective.

    Args:
        expression: the text without spaces.
        part: the part of a request (`response`, `server`, …), or "" if the metric is not a latency.
        metric: `p99`, `mean`, `failed`, `ok_per_s`, …
        op: a key of `OPERATORS`.
        limit: in ms for a latency, in percent for a fraction, otherwise the plain number.
        share: whether a count is compared as a fraction, in percent.
    """

    expression: str
    part: str
    metric: str
    op: str
    limit: float
    share: bool = False

    @property
    def percentile(self) -> str | None:
        """The key of the percentile; None for another metric."""
        return self.metric[1:] if self.part and self.metric not in MOMENTS else None

    def met(self, observed: float) -> bool:
        """Tell whether a value meets the limit."""
        return OPERATORS[self.op](observed, self.limit)


FAILED_NONE: Final = Slo(expression="failed==0", part="", metric="failed", op="==", limit=0.0)
"""The objective that applies unless another one is about failures."""


def parse(text: str) -> Slo:
    """Parse the value of `--slo`.

    Raises:
        UsageError: it cannot be parsed; the message gives the column and the grammar.
    """

    def refuse(column: int, why: str) -> UsageError:
        return UsageError(f"--slo {text!r}: column {column + 1}: {why}: {GRAMMAR}")

    metric = _METRIC.match(text)
    if metric is None:
        raise refuse(len(text) - len(text.lstrip()), "no metric")
    part, name = (metric[1] or "").rstrip("."), metric[2]
    _check_metric(part, name, lambda group, why: refuse(metric.start(group), why))
    op = _OP.match(text, metric.end())
    if op is None:
        raise refuse(metric.end(), f"{name} wants one of < <= > >= == after it")
    value = _VALUE.match(text, op.end())
    if value is None:
        raise refuse(op.end(), "no number with a unit")
    number, unit = float(value[1]), value[2]
    timed = name not in COUNTS and name not in RATES
    if timed and unit not in UNITS_MS:
        raise refuse(value.start(2), f"{name} is a time and wants us, ms or s" + (f", not {unit}" if unit else ""))
    if not timed and unit not in (("", "%") if name in COUNTS else ("", "/s")):
        raise refuse(value.start(2), f"{name} wants {'a number or %' if name in COUNTS else 'a bare number'}")
    return Slo(
        expression="".join(text.split()),
        part=(part or "response") if timed else "",
        metric=name,
        op="==" if op[1] == "=" else op[1],
        limit=number * UNITS_MS[unit] if timed else number,
        share=unit == "%",
    )


def _check_metric(part: str, name: str, refuse: Callable[[int, str], UsageError]) -> None:
    """Refuse a metric that reports do not have."""
    parts = [field.name for field in fields(Latencies)]
    if part and part not in parts:
        raise refuse(1, f"{part} is no part of a request (known: {', '.join(parts)})")
    if re.fullmatch(r"p[0-9.]+", name):
        if name[1:] not in PERCENTILES:
            raise refuse(2, f"{name} is not reported (known: p{', p'.join(PERCENTILES)})")
    elif name in (*COUNTS, *RATES):
        if part:
            raise refuse(1, f"{name} is not a time: no part can precede it")
    elif name not in MOMENTS:
        raise refuse(2, f"{name} is no metric")


def parse_all(texts: Iterable[str]) -> tuple[Slo, ...]:
    """Parse all objectives of a run.

    Raises:
        UsageError: one of them cannot be parsed.
    """
    return tuple(parse(text) for text in texts)


def implied(slos: Sequence[Slo]) -> tuple[Slo, ...]:
    """Return all objectives that apply: also `failed==0`, unless one of them is about failures."""
    return tuple(slos) if any(slo.metric == "failed" for slo in slos) else (*slos, FAILED_NONE)


def observe(slo: Slo, *, counts: Counts, throughput: Throughput, latency_ms: Latencies) -> float:
    """Return the observed value of an objective's metric, in the unit of its limit.

    Returns:
        Infinity for a latency without samples; 0 for rows if payloads have no known number of rows.
    """
    if slo.metric in RATES:
        return float(getattr(throughput, slo.metric) or 0.0)
    if slo.metric in COUNTS:
        count = float(getattr(counts, slo.metric))
        return 100 * count / counts.sent if slo.share and counts.sent else count
    values: Distribution | None = getattr(latency_ms, slo.part)
    if values is None:
        return math.inf
    return values.percentiles[slo.metric[1:]] if slo.percentile else float(getattr(values, slo.metric))


def evaluate(
    slos: Sequence[Slo], *, counts: Counts, throughput: Throughput, latency_ms: Latencies
) -> tuple[Threshold, ...]:
    """Judge a run by all objectives that apply, including `failed==0` if none is about failures."""
    found = []
    for slo in implied(slos):
        observed = observe(slo, counts=counts, throughput=throughput, latency_ms=latency_ms)
        # An objective of a run without requests is missed.
        passed = slo.met(observed) and (counts.sent > 0 or slo is FAILED_NONE) and not math.isinf(observed)
        found.append(Threshold(expression=slo.expression, observed=observed, passed=passed))
    return tuple(found)
