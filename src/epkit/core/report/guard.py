"""Whether objectives can still be met while a run goes on, for `--abort-on-slo`.

The past cannot be changed: with enough requests over the limit, no later one makes the percentile good; with enough
failures, their share stays above the limit. The number of requests is known if it was asked for; for a run with only a
time limit, it is taken to be twice what its pace so far would give. Objectives that a better future can
always correct (a throughput of a timed run, a lower limit of a latency) never end a run.
"""

import math
from collections.abc import Sequence

import numpy as np

from epkit.core.report.slo import Slo, implied
from epkit.core.samples.latency import series
from epkit.core.stats.percentiles import PS, rank

ROOM = 2.0
"""Greatest speed-up of the rest of a run that is assumed."""


class _Count:
    """The observations for one objective.

    Args:
        over: samples beyond the limit; `seen`: all samples; `total_ms`: their sum.
    """

    __slots__ = ("over", "seen", "slo", "total_ms")

    def __init__(self, slo: Slo) -> None:
        self.slo = slo
        self.over = self.seen = 0
        self.total_ms = 0.0

    def add(self, block: np.ndarray) -> None:
        slo = self.slo
        if slo.part:
            ms = series(slo.part, block) / 1e6
            self.seen += len(ms)
            self.total_ms += float(ms.sum())
            self.over += int(np.count_nonzero(ms > slo.limit if slo.op == "<=" else ms >= slo.limit))
        elif slo.metric == "failed":
            self.seen += len(block)
            self.over += int(np.count_nonzero(block["failure"]))

    def lost(self, requests: float) -> bool:
        """Tell whether the objective cannot be met any more in a run with that number of requests."""
        slo = self.slo
        if slo.metric == "failed":
            worst = 100 * self.over / requests if slo.share else float(self.over)
            past = worst >= slo.limit if slo.op == "<" else worst > slo.limit
            return past and self.over > 0 and slo.op in ("<", "<=", "==")
        if not slo.part or slo.op not in ("<", "<="):
            return False
        whole = max(self.seen, math.ceil(requests))
        if slo.percentile:
            return self.over > whole - rank(whole, PS[slo.percentile])
        if slo.metric == "max":
            return self.over > 0
        if slo.metric == "median":
            return self.over > whole // 2
        return slo.metric == "mean" and self.total_ms > slo.limit * whole


class Guard:
    """A sink that finds out when a run can no longer meet its objectives.

    Args:
        requests: planned number of requests; None if only time ends the run.
        duration_ns: planned duration; None if only the number of requests ends the run.
    """

    def __init__(self, slos: Sequence[Slo], *, requests: int | None, duration_ns: int | None) -> None:
        self._counts = [_Count(slo) for slo in implied(slos)]
        self._requests = requests
        self._duration_ns = duration_ns
        self._sent = 0
        self._end_ns = 1

    def add(self, block: np.ndarray) -> None:
        """Take a block of samples."""
        if len(block):
            self._sent += len(block)
            self._end_ns = max(self._end_ns, int(block["end"].max()))
            for count in self._counts:
                count.add(block)

    def lost(self) -> str | None:
        """Return the first objective that can no longer be met; None if there is none."""
        whole = float(self._requests) if self._requests is not None else math.inf
        if self._duration_ns is not None:
            paced = ROOM * self._sent * max(1.0, self._duration_ns / self._end_ns)
            whole = min(whole, paced)
        if not self._sent or not math.isfinite(whole):
            return None
        return next((count.slo.expression for count in self._counts if count.lost(max(whole, self._sent))), None)
