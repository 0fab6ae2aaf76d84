"""The results of several workers are combined as if one process had made them."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np

from epkit.core.load.plan import Phase, Plan
from epkit.core.samples.rows import Failure
from epkit.engines.base import Traffic
from epkit.engines.deferred import CheckCounts
from epkit.engines.driver import FirstFailure
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.workers.gathered import WorkerPart, gathered
from support.rows import MS, rows

AT = datetime(2026, 1, 1, tzinfo=UTC)
PLAN = Plan(phases=(Phase(),), timeout_ns=10**9)


def failure(count, payload):
    return FirstFailure(
        failure=Failure.STATUS, status=503, detail="busy", head=b"", body=b"", payload=payload, count=count
    )


def part(**known):
    facts = RunFacts(began=7, started_at=datetime.now(UTC), **known)
    return WorkerPart(SimpleNamespace(name="one"), PLAN, facts=facts)


def together(*parts, begins=(0,)):
    return gathered(parts, began=5, started_at=AT, begins=begins)


def test_what_was_counted_adds_up():
    one = part(unsent={0: 1, 1: 2}, cpu_s=1.0, cpu_before_s=0.25, checks=CheckCounts(checked=3), most=(2, 5), waiting=4)
    other = part(unsent={1: 3}, cpu_s=2.0, checks=CheckCounts(skipped=1, crashed=2), most=(1,), waiting=9)
    other.has_ended = True
    one.counters.add(rows(4, failure=Failure.STATUS))
    found = together(one, other, begins=(0, 10))

    assert (4, 4) == (found.sent, found.failed)
    assert ({0: 1, 1: 5}, 3.0, 0.25) == (dict(found.unsent), found.cpu_s, found.cpu_before_s)
    assert CheckCounts(checked=3, skipped=1, crashed=2) == found.checks
    assert (3, 5) == found.most
    assert 4 == found.waiting, "a worker that has ended waits for nothing"
    assert (5, AT, (0, 10)) == (found.began, found.started_at, found.begins)


def test_the_first_of_each_kind_of_failure_stands_for_all():
    kind = Failure.STATUS, 503
    one, other = part(examples={kind: failure(2, 0)}), part(examples={kind: failure(3, 1)})

    assert {kind: failure(5, 0)} == together(one, other).examples
    assert 2 == one.facts.examples[kind].count, "what a worker said is not changed"


def test_connections_add_up_and_the_first_handshake_is_named():
    one = part(traffic=Traffic(connections=2, closed=1))
    other = part(
        traffic=Traffic(connections=3, retried=4, unsolicited=5, tls="TLSv1.3"),
        first_head=b"x",
    )
    found = together(one, other)

    assert Traffic(connections=5, closed=1, retried=4, unsolicited=5, tls="TLSv1.3") == found.traffic
    assert b"x" == found.first_head


def test_the_engine_is_that_of_the_workers_which_have_reported():
    assert "" == together(part()).engine
    assert "wire+c" == together(part(engine="wire+c"), part(), part(engine="wire+c")).engine
    assert "wire and wire+c" == together(part(engine="wire+c"), part(engine="wire")).engine


def test_a_run_ends_by_its_plan_only_where_every_worker_does():
    assert 30 == together(part(planned_end_ns=20), part(planned_end_ns=30)).planned_end_ns
    assert None is together(part(planned_end_ns=20), part()).planned_end_ns


def test_the_last_row_tells_the_end_where_it_is_later_than_what_was_said():
    one = part(ended_ns=20 * MS)
    assert 20 * MS == together(one).ended_ns
    one.ended_ns = 30 * MS
    assert 30 * MS == together(one).ended_ns


def test_a_worker_that_was_lost_before_it_said_anything_is_no_trouble():
    silent = WorkerPart(SimpleNamespace(name="one"), PLAN, lost="is gone")
    beating = part(drifts_ns=np.array([1, 2]), most=(1,))
    found = together(silent, beating)

    assert [1, 2] == found.drifts_ns.tolist()
    assert (1,) == found.most
    assert (0, (0,)) == (together(replace(silent)).ended_ns, together(silent).most)
