"""Service and response times equal the given ones to the nanosecond: the wire engine runs on a virtual clock."""

import asyncio
import statistics
from dataclasses import replace

import numpy as np
import pytest

from epkit.core.http.destination import Destination
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import Phase
from epkit.core.report.assembly import assemble
from epkit.core.report.summary import Summary
from epkit.core.samples.rows import Failure
from epkit.engines import driver as driving
from epkit.engines import phased
from epkit.engines.driver import ClosedLoop, DriverBase, Judging
from epkit.engines.phased import Phased
from epkit.engines.wire import connection, parking, wire
from epkit.engines.wire.wire import WireEngine
from support.engine_harness import CALM_NS, requests
from support.faults import OK
from support.rows import PLAN, known
from support.virtual_time import TURN_NS, VirtualClock, VirtualLoop

BEGAN = 5_000_000_000
MS = 1_000_000
CONNECTING = 3 * MS
TO = Destination(scheme="http", host="127.0.0.1", port=80)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> VirtualClock:
    clock = VirtualClock(BEGAN)
    monkeypatch.setenv("EPKIT_ENGINE", "python")  # the compiled lane reads the system's own clock
    for module in (connection, parking, wire):
        monkeypatch.setattr(module, "clock", clock.perf_counter_ns)
    for module in (driving, phased):
        monkeypatch.setattr(module, "time", clock)
    return clock


def measure(clock: VirtualClock, phase: Phase, serving: list[int]) -> tuple[np.ndarray, Summary]:
    """Run the wire engine with a server that takes given times; return the rows and the summary of the report."""
    blocks: list[np.ndarray] = []
    summary = Summary()
    judging = Judging(sinks=[lambda block: blocks.append(block.copy()), summary.add])
    kind = Phased if phase.model == "open" else ClosedLoop
    phases = [phase] if phase.model == "open" else phase
    driver: DriverBase = kind(phases, requests(TO, ["ok"]), [2], judging, PhaseTimes())  # type: ignore[arg-type]
    loop = VirtualLoop(clock, connecting_ns=CONNECTING, serving_ns=serving, reply=OK)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(WireEngine(TO, timeout_ns=CALM_NS).run(driver, phase.concurrency))  # type: ignore[arg-type]
    driver.flush()

    rows = np.concatenate(blocks)
    assert [Failure.NONE] * len(serving) == list(rows["failure"])
    return rows, summary


def reported(rows: np.ndarray, summary: Summary, view: str, model: str) -> tuple[float, ...]:
    """Return the least, mean, median and greatest value of a latency in the report, in ms."""
    found = getattr(assemble(known(rows, plan=replace(PLAN, model=model)), summary).latency_ms, view)
    return found.min, found.mean, found.median, found.max


# The first service time includes the connecting; it begins one turn of the loop after the first request is due.


def of(times_ns: list[int]) -> tuple[float, ...]:
    known_ns = min(times_ns), statistics.mean(times_ns), statistics.median(times_ns), max(times_ns)
    return tuple(ns / MS for ns in known_ns)


def test_in_a_closed_loop_both_are_what_the_server_takes(clock: VirtualClock) -> None:
    serving = [7 * MS + 1, 200_003, 41 * MS, 999_999, 5 * MS + 17]

    rows, summary = measure(clock, Phase(concurrency=1, requests=len(serving)), serving)

    service = [CONNECTING + serving[0], *serving[1:]]
    assert service == list(rows["end"] - rows["start"])
    assert of(service) == reported(rows, summary, "service", "closed")
    assert of(service) == reported(rows, summary, "response", "closed")  # a request is due when its slot is free


def test_in_an_open_loop_the_wait_for_a_slot_is_response_and_not_service(clock: VirtualClock) -> None:
    serving = [2 * MS, 30 * MS, 4 * MS, 4 * MS, 1 * MS, 2 * MS, 2 * MS, 2 * MS]
    phase = Phase(model="open", concurrency=1, rate=100, requests=len(serving))

    rows, summary = measure(clock, phase, serving)

    due = [number * 10 * MS for number in range(len(serving))]
    service = [CONNECTING + serving[0], *serving[1:]]
    ends = [TURN_NS + service[0]]
    for when, takes in zip(due[1:], service[1:], strict=True):
        ends.append(max(when, ends[-1]) + takes)
    response = [end - when for when, end in zip(due, ends, strict=True)]
    assert max(response) == 30 * MS
    assert 24 * MS in response, "the third was due while the second was in flight"
    assert (due, ends) == (list(rows["due"]), list(rows["end"]))
    assert service == list(rows["end"] - rows["start"])
    assert of(service) == reported(rows, summary, "service", "open")
    assert of(response) == reported(rows, summary, "response", "open")
