"""Parses `--fail-if 'p99>+5%'`: how much worse a metric may get between two arms of a comparison."""

import re
from dataclasses import dataclass
from typing import Final

from epkit.errors import UsageError

METRICS: Final = ("mean", "p50", "p90", "p95", "p99", "p99.9", "throughput", "rows", "failed")
"""What is compared; `rows` per second where requests of one arm hold more of them than those of the other."""

GRAMMAR: Final = (
    "write METRIC>+N% or METRIC<-N%, as in p99>+5%, throughput<-3%, failed>+1% (percentage points); "
    f"METRIC: {', '.join(METRICS)}"
)
_GATE: Final = re.compile(r"\s*([\w.]+)\s*(?:(>)\s*\+?|(<)\s*-\s*)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*%\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeGate:
    """A limit to a change.

    Args:
        metric: one of `METRICS`.
        up: whether it limits a rise; otherwise it limits a fall.
        limit: the change that is allowed, as a fraction of the base (for `failed`: of the requests), ≥ 0.
    """

    expression: str
    metric: str
    up: bool
    limit: float

    def passed_by(self, change: float) -> bool:
        """Tell whether a change exceeds the limit.

        Args:
            change: as a fraction, negative for a fall.
        """
        return change > self.limit if self.up else change < -self.limit


def parse(text: str) -> ChangeGate:
    """Read a gate.

    Raises:
        UsageError: it cannot be read; the message gives the column and the grammar.
    """
    found = _GATE.fullmatch(text)
    if found is None or found[1] not in METRICS:
        known = re.match(r"\s*([\w.]+)", text)
        where = f"column {len(text) - len(text.lstrip()) + 1}: {known[1] if known else 'this'} is not compared"
        if known is None or known[1] in METRICS:
            where = f"column {(known.end() if known else 0) + 1}: no change in percent"
        raise UsageError(f"--fail-if {text!r}: {where}: {GRAMMAR}")
    return ChangeGate(
        expression="".join(text.split()), metric=found[1], up=found[2] is not None, limit=float(found[4]) / 100
    )
