"""The knee of a sweep."""

from dataclasses import replace

import pytest

from epkit.core.load.plan import Phase
from epkit.core.report.knee import knee, mark_knee
from epkit.core.report.report import PhaseInfo
from epkit.core.report.summary import Summary
from support.rows import MS, SECOND, rows


def step(c: int, ok: int, mean_ms: int) -> PhaseInfo:
    """Make a step of one second in which *ok* requests took *mean_ms* each."""
    summary = Summary()
    if ok:
        block = rows(ok)
        block["start"] = block["due"] = block["end"] - mean_ms * MS
        summary.add(block)
    return summary.phase(Phase(concurrency=c), begin_ns=0, duration_ns=SECOND, most=c, measured=True)


@pytest.mark.parametrize(
    ("steps", "at"),
    [
        # One server of 10 ms: the throughput is at its maximum at once, and more load only waits.
        ([(1, 100, 10), (2, 100, 20), (4, 100, 40)], 0),
        # Four servers: the throughput grows up to 4, then the latency grows.
        ([(1, 100, 10), (2, 200, 10), (4, 400, 10), (8, 400, 20)], 2),
        # There is no knee: the last step.
        ([(1, 100, 10), (2, 200, 10)], 1),
        ([(1, 0, 10), (2, 50, 10)], 1),
        ([(1, 0, 10)], None),
        ([], None),
    ],
)
def test_the_knee_is_where_power_is_highest(steps, at):
    assert at == knee([step(*each) for each in steps])


def test_the_knee_is_marked_by_the_load_of_the_plan_and_a_warm_up_is_no_step():
    plan = [Phase(concurrency=c) for c in (1, 2, 4)]
    warmup = replace(step(1, 100, 1), measured=False)
    phases, search = mark_knee([warmup, *(step(c, 100, 10 * c) for c in (1, 2, 4))], plan)

    assert [None, "knee", None, None] == [phase.mark for phase in phases]
    assert (1.0, 2.0, True) == (search.value, search.above, search.confirmed)
    assert search.words.startswith("the knee is at c=1: the step with the most successes")


def test_a_knee_at_the_last_step_that_was_entered_may_lie_beyond():
    plan = [Phase(model="open", rate=rate) for rate in (50.0, 100.0, 200.0)]
    phases, search = mark_knee([step(1, 50, 10), step(1, 100, 10)], plan)

    assert [None, "knee"] == [phase.mark for phase in phases]
    assert (100.0, None, False) == (search.value, search.above, search.confirmed)
    assert search.words.endswith("it is the last step, so the true knee may be beyond it")


def test_without_a_success_there_is_no_knee():
    phases = (step(1, 0, 10),)

    assert (phases, None) == mark_knee(phases, [Phase()])
