"""The knee of a sweep."""

import pytest

from epkit.core.load.plan import Phase
from epkit.core.report.knee import knee
from epkit.core.report.report import PhaseInfo
from epkit.core.report.summary import Summary
from support.rows import MS, SECOND, rows


def step(c: int, ok: int, mean_ms: int) -> PhaseInfo:
    """A step of a second in which *ok* requests took *mean_ms* each."""
    summary = Summary()
    if ok:
        block = rows(ok)
        block["start"] = block["due"] = block["end"] - mean_ms * MS
        summary.add(block)
    return summary.phase(Phase(concurrency=c), begin_ns=0, duration_ns=SECOND, most=c, measured=True)


@pytest.mark.parametrize(
    ("steps", "at"),
    [
        # One server of 10 ms: throughput is full at once, more only waits.
        ([(1, 100, 10), (2, 100, 20), (4, 100, 40)], 0),
        # Four servers: throughput grows to 4, then latency does.
        ([(1, 100, 10), (2, 200, 10), (4, 400, 10), (8, 400, 20)], 2),
        # It never bends: the last step.
        ([(1, 100, 10), (2, 200, 10)], 1),
        ([(1, 0, 10), (2, 50, 10)], 1),
        ([(1, 0, 10)], None),
        ([], None),
    ],
)
def test_the_knee_is_where_power_is_highest(steps, at):
    assert at == knee([step(*each) for each in steps])
