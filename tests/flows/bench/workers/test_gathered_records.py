"""The part of a report about the workers that made its load."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np

from epkit.core.load.plan import Phase, Plan
from epkit.core.report.caveats import CaveatKind
from epkit.core.samples.clocks import Offset
from epkit.core.samples.latency import series
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.workers.gathered import WorkerPart
from support.rows import MS, report, texts, timed

BLOCK = timed(np.full(200, 20 * MS))


def part(name, *, rows=100, began_ns=0, drift_ms=0.0, error_ms=0.0, lost=None, plan=None):
    """Make a worker's part of a run with 20 ms per request."""
    plan = plan or Plan(phases=(Phase(requests=100),), timeout_ns=10**9)
    member = SimpleNamespace(name=name, host="node", clock=Offset(offset_ns=5 * MS, error_ns=round(error_ms * MS)))
    made = WorkerPart(member, plan, lost=lost)
    made.counters.add(BLOCK[:rows])
    made.service.add(series("service", BLOCK[:rows]))
    drifts = np.full(300 if lost is None else 0, round(drift_ms * MS), dtype=np.int64)
    made.facts = RunFacts(
        began=0, started_at=datetime.now(UTC), late_ns=began_ns, sent=rows, begins=(0,), most=(1,), cpu_s=0.002,
        drifts_ns=drifts,
    )  # fmt: skip
    made.has_ended = lost is None
    return made


def said(*parts):
    return report(BLOCK, records=tuple(part.record() for part in parts))


def test_each_is_told_by_itself_and_how_far_apart_they_began():
    made = said(part("one", began_ns=2 * MS), part("other", rows=50, began_ns=3 * MS))
    one, other = made.workers

    assert (1.0, 0.0, 1.0) == (made.generator.start_spread_ms, one.start_ms, other.start_ms)
    assert (100, 50, 100 / 4, 20.0) == (one.sent, other.sent, one.requests_per_s, round(one.p50, 1))
    assert (20.0, 40.0, 5.0) == (one.cpu_us_per_request, other.cpu_us_per_request, one.clock_offset_ms)
    assert made.validity.valid


def test_one_that_was_itself_the_limit_spoils_the_run_by_name():
    made = said(part("one"), part("other", drift_ms=30))

    assert made.generator.limited
    assert not made.validity.valid
    (reason,) = made.validity.reasons
    assert CaveatKind.CLIENT_LIMIT is reason.kind
    assert reason.text.startswith("other: the client was the limit: its event loop ran 30.0 ms late (p50)")


def test_a_lost_one_is_missed_with_what_was_planned_for_it():
    made = said(part("one"), part("other", rows=30, lost="was killed by signal 9"))

    assert (
        "other (node) was lost after 30 of its 100 requests, the rest of them is missing: it was killed by signal 9",
    ) == texts(made.validity.reasons)
    timed_plan = Plan(phases=(Phase(duration_ns=10**9),), timeout_ns=10**9)
    (reason,) = said(part("one", lost="is gone from the cluster", plan=timed_plan)).validity.reasons
    assert CaveatKind.WORKER_LOST is reason.kind
    assert reason.text.startswith("one (node) was lost after 100 requests, the rest of them is missing: it is gone")


def test_clocks_that_are_known_badly_are_told_where_it_matters():
    sure, unsure = said(part("one", error_ms=0.9)), said(part("one", error_ms=1.1))

    assert CaveatKind.CLOCKS not in {caveat.kind for caveat in sure.warnings}
    (caveat,) = [caveat for caveat in unsure.warnings if caveat.kind is CaveatKind.CLOCKS]
    assert caveat.text.startswith("worker clocks agree only to ±1.1 ms")
    drifted = replace(part("one"), drift=Offset(error_ns=4 * MS))
    assert [4.0] == [worker.clock_error_ms for worker in said(drifted).workers]
