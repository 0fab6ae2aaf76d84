"""The thread that sends to a collector: one frame waits, failures make it pause, and it prints nothing."""

import logging
import threading
from dataclasses import replace

import pytest

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the extra otlp")

import numpy as np

from epkit.core.load.phases import PhaseTimes
from epkit.core.report.outcomes import Outcomes
from epkit.exporters.otlp import OtlpExporter
from epkit.exporters.points import ExportedRun, ExportFrame
from support.otlp_collector import OtlpCollector
from support.rows import SECOND, timed

RUN = ExportedRun(
    id="r1", target="bank", method="POST", scheme="http", address="h", port=80, phases=("measure",), started_ns=1
)  # fmt: skip


def frame(requests: int) -> ExportFrame:
    collected = Outcomes(PhaseTimes((0,)))
    collected.add(timed(np.full(requests, 1000)))
    return ExportFrame(run=RUN, snapshot=collected.snapshot(SECOND), now_ns=2)


def counts(collector: OtlpCollector) -> list[int]:
    return [post.points("epkit.request.count")[0].value for post in collector.posted]


@pytest.fixture
def collector():
    with OtlpCollector() as receiver:
        yield receiver


@pytest.fixture
def exporter(collector):
    made = OtlpExporter(f"{collector.url}/v1/metrics", {"api-key": "k"}, "1.0")
    yield made
    collector.released.set()
    made.close()


def test_a_frame_is_delivered(exporter, collector):
    assert exporter.deliver(frame(3), 30)
    assert ([3], "k", None) == (counts(collector), collector.last.headers["api-key"], exporter.problem)


def test_only_the_latest_frame_waits(exporter, collector):
    collector.status = None
    exporter.offer(frame(1))
    assert collector.arrived.wait(30)
    for requests in (2, 3, 4):
        exporter.offer(frame(requests))
    collector.status = 200
    collector.released.set()

    assert exporter.deliver(frame(5), 30)
    assert {2, 3}.isdisjoint(counts(collector))
    assert 5 == counts(collector)[-1]


def test_a_collector_that_hangs_is_waited_for_once(exporter, collector):
    collector.status = None

    assert not exporter.deliver(frame(1), 0.2)
    assert not exporter.deliver(frame(2), 1000)  # returns at once: otherwise this test would not end
    assert "it does not answer" == exporter.problem


def test_after_a_failure_nothing_is_offered_for_a_while(exporter, collector, monkeypatch):
    monkeypatch.setattr("epkit.exporters.otlp.PAUSES_S", (1000.0,))
    collector.status = 503

    assert not exporter.deliver(frame(1), 30)
    exporter.offer(frame(2))
    assert not exporter.deliver(frame(3), 30)
    assert [1, 3] == counts(collector)
    assert "it answered 503" == exporter.problem


def test_a_collector_that_comes_back_is_no_problem(exporter, collector):
    collector.status = 500
    exporter.deliver(frame(1), 30)
    collector.status = 200

    assert exporter.deliver(frame(2), 30)
    assert exporter.problem is None


def test_a_frame_that_cannot_be_made_does_not_end_the_thread(exporter, collector):
    broken = ExportFrame(run=RUN, snapshot=None, now_ns=2)

    assert not exporter.deliver(broken, 30)
    assert "AttributeError" == exporter.problem
    assert exporter.deliver(frame(1), 30)


def test_a_frame_that_cannot_be_encoded_is_a_problem_too(exporter, collector):
    odd = ExportFrame(run=replace(RUN, target=object()), snapshot=frame(1).snapshot, now_ns=-(2**70))

    assert not exporter.deliver(odd, 30)
    assert exporter.problem is not None
    assert [] == collector.posted


def test_a_connection_is_used_again_and_cookies_are_not_kept(exporter, collector):
    collector.headers = (("Set-Cookie", "a=b"),)
    collector.body = bytes(100)
    ports = set()
    for requests in (1, 2, 3):
        assert exporter.deliver(frame(requests), 30)
        ports.add(collector.last.port)

    assert 1 == len(ports)
    assert "cookie" not in collector.last.headers


def test_nothing_is_logged_and_loggers_are_as_they_were(collector, caplog):
    before = {name: logging.getLogger(name).level for name in ("opentelemetry", "urllib3")}
    collector.status = 500
    exporter = OtlpExporter(f"{collector.url}/v1/metrics", {}, "1.0")
    exporter.deliver(frame(1), 30)
    exporter.close()

    assert [] == caplog.records
    assert before == {name: logging.getLogger(name).level for name in before}
    assert not any(thread.name == "epkit-otlp" for thread in threading.enumerate())
