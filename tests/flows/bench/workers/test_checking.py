"""Messages with the right types, but with numbers that no worker can have, are refused."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.report.counters import Counters
from epkit.core.report.summary import Summary
from epkit.core.report.windows import WIDTH_NS, Windows
from epkit.core.samples.rows import SAMPLE, Failure
from epkit.core.stats.histogram import Histogram
from epkit.engines.driver import FirstFailure
from epkit.engines.workers.values import MalformedError
from epkit.flows.bench.driving import RunFacts
from epkit.flows.bench.workers.checking import Bounds, check_digest, check_facts, check_gate, check_rows
from epkit.flows.bench.workers.messages import DigestMessage, GateMessage, RowsMessage

BOUNDS = Bounds(phases=2, payloads=3, now_ns=10**9)
LATE = 10**12


def rows(**columns: int) -> np.ndarray:
    block = np.zeros(4, dtype=SAMPLE)
    for name, value in {"end": 5, **columns}.items():
        block[name][2] = value
    return block


def message(block: np.ndarray, **more: object) -> RowsMessage:
    return RowsMessage(
        **{"data": block.tobytes(), "complete_ns": 7, "begins": (0,), "deployments": ("", "blue"), **more}
    )


def test_samples_that_can_be_are_taken_as_they_are():
    block = rows(failure=9, deployment=1, payload=2, end=10**9)
    assert block.tobytes() == check_rows(message(block), BOUNDS).tobytes()
    assert 0 == len(check_rows(message(block[:0]), BOUNDS))


@pytest.mark.parametrize(
    "wrong",
    [
        message(rows(failure=10)),
        message(rows(deployment=2)),
        message(rows(payload=3)),
        message(rows(end=LATE)),
        message(rows(due=-1)),
        message(rows(due=LATE)),
        message(rows(start=6)),
        message(rows(), data=b"x" * 81),
        message(rows(), complete_ns=-1),
        message(rows(), complete_ns=10**30),
        message(rows(), begins=(0, 1, 2)),
        message(rows(), begins=(5, 1)),
        message(rows(), begins=(-1,)),
        message(rows(), deployments=()),
        message(rows(), deployments=("",) * 257),
        message(rows(), deployments=("", "x" * 1001)),
    ],
)
def test_samples_that_cannot_be_are_refused(wrong):
    with pytest.raises(MalformedError):
        check_rows(wrong, BOUNDS)


@given(st.binary(max_size=4 * SAMPLE.itemsize))
def test_whatever_bytes_are_samples_are_safe_or_refused(data):
    try:
        block = check_rows(message(rows(), data=data), BOUNDS)
    except MalformedError:
        return
    summary = Summary(exact=0)
    summary.add(block)
    assert len(block) == summary.rows


@pytest.mark.parametrize(("place", "at_ns"), [(2, 0), (-1, 0), (1, LATE), (1, -1), (10**30, 0)])
def test_a_gate_that_is_not_there_is_refused(place, at_ns):
    check_gate(GateMessage(1, 5), BOUNDS)
    with pytest.raises(MalformedError):
        check_gate(GateMessage(place, at_ns), BOUNDS)


FACTS = RunFacts(began=0, started_at=datetime(2026, 1, 1, tzinfo=UTC), begins=(0,), most=(1,))
EXAMPLE = FirstFailure(failure=Failure.STATUS, status=500, detail="", head=b"", body=b"", payload=3, count=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"begins": (0, 1, 2)}, {"most": (1, 1, 1)}, {"most": (-1,)}, {"ended_ns": LATE}, {"sent": -1}, {"failed": 10**30},
        {"unsent": {3: 1}}, {"unsent": {0: -1}}, {"gaps": {0: -5}}, {"examples": {(Failure.STATUS, 500): EXAMPLE}},
        {"examples": {(Failure.STATUS, 500): replace(EXAMPLE, payload=0, count=-1)}}, {"deployments": ()},
        {"engine": "<script>"},
    ],
)  # fmt: skip
def test_facts_that_cannot_be_are_refused(wrong):
    check_facts(FACTS, BOUNDS)
    with pytest.raises(MalformedError):
        check_facts(replace(FACTS, **wrong), BOUNDS)


def counted() -> Summary:
    summary = Summary(exact=0)
    summary.add(rows(deployment=1))
    return summary


def test_counts_of_other_phases_deployments_or_payloads_are_refused():
    whole = counted()
    good = DigestMessage(whole, (whole, whole), 5, 7, (0,), ("", "blue"))
    check_digest(good, BOUNDS)
    other = Summary(exact=0)
    other.add(rows(payload=3))
    for wrong in (
        replace(good, parts=(whole,)), replace(good, deployments=("",)), replace(good, whole=other),
        replace(good, ended_ns=LATE),
    ):  # fmt: skip
        with pytest.raises(MalformedError):
            check_digest(wrong, BOUNDS)


def test_a_state_that_nothing_has_counted_is_refused():
    """Histograms, windows, counters and summaries, each with one fault."""
    filled = counted()
    summary, counters, windows = filled.state(), filled.counters.state(), filled.state().windows.state()
    histogram = summary.later["service"].state()
    tally = windows.tallies[0]
    wrong = [
        *((Histogram, replace(histogram, **more)) for more in (
            {"used": histogram.used + 10**6}, {"used": -histogram.used - 1}, {"counts": -histogram.counts},
            {"counts": histogram.counts[:-1]}, {"used": histogram.used[::-1]}, {"total": -1}, {"squares": 0},
            {"clamped": 99}, {"least": -1}, {"most": 1 << 50}, {"counts": histogram.counts + (1 << 60)},
        )),
        *((Counters, replace(counters, **more)) for more in (
            {"failures": counters.failures[:-1]}, {"failures": counters.failures - 9}, {"received": -1},
            {"deployments": counters.deployments[:-2]}, {"statuses": {-1: 1}}, {"payloads": {0: -1}}, {"late": 1 << 63},
        )),
        *((Windows, replace(windows, **more)) for more in (
            {"width_ns": 0}, {"width_ns": WIDTH_NS + 1}, {"width_ns": WIDTH_NS << 30}, {"tallies": {-1: tally}},
            {"tallies": {3600: tally}}, {"tallies": {0: replace(tally, completed=-1)}},
            {"tallies": {0: replace(tally, counts=tally.counts * 0)}},
        )),
        *((Summary, replace(summary, **more)) for more in (
            {"rows": 5}, {"later": {}}, {"deployments": {256: Histogram()}},
        )),
    ]  # fmt: skip
    assert filled.counters.counts() == Summary.restored(summary).counters.counts()
    for kind, state in wrong:
        with pytest.raises(ValueError):
            kind.restored(state)
