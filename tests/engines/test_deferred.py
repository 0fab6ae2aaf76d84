"""Checks in parallel with the run: verdicts reach their rows, blocks keep their order, skipped checks are counted."""

import threading

import numpy as np
import pytest

from epkit.core.samples.rows import Failure
from epkit.engines import deferred as d
from epkit.engines.base import Exchange
from support.rows import rows

BAD = (Failure.MISMATCH, "row 0: 2 instead of 1")


def reply(body, payload=0):
    exchange = Exchange()
    exchange.body, exchange.payload, exchange.status = body, payload, 200
    return exchange


def verdict(payload, head, body):
    return BAD if body.startswith(b"bad") else (Failure.NONE, "")


@pytest.fixture
def seen(monkeypatch):
    monkeypatch.setattr(d, "REST", 0.0)
    return []


def make(seen, check=verdict):
    return d.Deferred(check, [lambda block: seen.append(block.copy())])


def settle(checks):
    """Wait until no row waits for a verdict."""
    while checks._jobs.qsize() or len(checks._waiting) > checks._results.qsize():
        threading.Event().wait(0.001)


def fill(checks, bodies, **columns):
    """Act like a driver, which itself writes the verdicts that are known at once."""
    block = rows(len(bodies), **columns)
    for row, body in enumerate(bodies):
        known = checks.inspect(row, reply(body))
        block["failure"][row] = known[0] if known else Failure.NONE
    checks.add(block)


@pytest.mark.parametrize("quick", [False, True])
def test_verdicts_find_their_rows(seen, quick):
    done = threading.Event()
    checks = make(seen, lambda *job: (quick or done.wait(5), verdict(*job))[1])
    for number in range(3):
        fill(checks, [b"bad" if row == number else b"good %d" % row for row in range(4)], received=number)
        if quick:
            settle(checks)
    done.set()
    checks.finish()

    assert [0, 1, 2] == [int(block["received"][0]) for block in seen]
    assert [[number] for number in range(3)] == [np.flatnonzero(block["failure"]).tolist() for block in seen]
    assert d.CheckCounts(checked=12) == checks.counts
    assert {(Failure.MISMATCH, 200)} == checks.examples.keys()


def test_a_body_that_is_known_is_judged_at_once_and_by_its_payload(seen):
    checks = make(seen)
    checks.inspect(0, reply(b"bad"))
    checks.add(rows(1))
    checks.finish()

    assert BAD == checks.inspect(0, reply(b"bad"))
    assert None is checks.inspect(1, reply(b"bad", payload=1))


def test_a_verdict_may_come_before_its_block_is_full(seen):
    checks = make(seen)
    checks.inspect(1, reply(b"bad"))
    settle(checks)
    checks.add(rows(2))

    assert [[1]] == [np.flatnonzero(block["failure"]).tolist() for block in seen]


def test_blocks_wait_for_their_verdicts_and_those_behind_for_them(seen):
    go = threading.Event()

    def slow(payload, head, body):
        go.wait(5)
        return BAD

    checks = make(seen, slow)
    checks.inspect(0, reply(b"x"))
    checks.add(rows(1))
    checks.add(rows(2))
    before = len(seen)
    go.set()
    checks.finish()

    assert (0, [1, 2]) == (before, [len(block) for block in seen])
    assert Failure.MISMATCH == seen[0]["failure"][0]


def test_what_is_too_much_passes_and_is_counted(seen, monkeypatch):
    monkeypatch.setattr(d, "MOST_WAITING", 2)
    monkeypatch.setattr(d, "PATIENCE_S", 0.05)
    go = threading.Event()
    checks = make(seen, lambda payload, head, body: (go.wait(5), BAD)[1])
    for row in range(5):
        checks.inspect(row, reply(b"%d" % row))
    checks.add(rows(5))
    checks.finish()
    go.set()

    assert d.CheckCounts(skipped=5) == checks.counts
    assert [5] == [len(block) for block in seen]
    assert not seen[0]["failure"].any()


class Odd(BaseException):
    """An exception that is not an `Exception`, like a panic in an extension written in Rust."""


@pytest.mark.parametrize(
    ("raised", "why"),
    [
        (RecursionError("maximum recursion depth exceeded"), "the reply is nested too deeply"),
        (KeyError(), "KeyError"),
        (Odd("two\n lines"), "Odd: two lines"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_what_a_check_raises_is_the_verdict_on_that_reply_and_the_checks_go_on(seen, raised, why):
    def odd(payload, head, body):
        if body == b"odd":
            raise raised
        return verdict(payload, head, body)

    checks = make(seen, odd)
    for _ in range(2):
        fill(checks, [b"good", b"odd", b"bad", b"odd"])
        settle(checks)
    checks.finish()

    assert d.CheckCounts(checked=4, crashed=4) == checks.counts
    assert 8 == checks.counts.wanted
    assert [[1, 2, 3]] * 2 == [np.flatnonzero(block["failure"]).tolist() for block in seen]
    assert f"cannot be checked: {why}" == checks.examples[Failure.CONTRACT, 200].detail


def test_remembered_bodies_are_bounded(seen, monkeypatch):
    monkeypatch.setattr(d, "MOST_BYTES", 20)
    checks = make(seen)
    most = 0
    for number in range(9):
        fill(checks, [b"good %d" % number])
        settle(checks)
        fill(checks, [])
        most = max(most, len(checks._known))
    checks.finish()

    assert (9, 3) == (checks.counts.checked, most)
