"""The driver that is fed: rows come and go in any order, and its rate changes while requests are in flight."""

import json
import random

import pytest

from epkit.core.http.request import Template
from epkit.core.score.batching import Chunk, Packer
from epkit.core.score.conveyor import Policy
from epkit.engines.base import FOREVER, Exchange
from epkit.engines.fed import FedDriver

MS = 1_000_000


class Fed:
    """A driver and its messages."""

    def __init__(self, **policy):
        self.policy = Policy(batch_rows=2, **policy)
        self.said = []
        self.woken = 0
        self.driver = FedDriver(
            Packer(b"[", b"]", most_bytes=1000),
            Template("POST", "/", "h", [], marked="x-ms-client-request-id").fill,
            self._write,
            policy=self.policy,
            explain=lambda outcome: outcome.detail,
            dice=random.Random(1),
            later=lambda call: call(),
            wake=self._wake,
            waiting=lambda _: None,
        )

    def _wake(self):
        self.woken += 1

    def _write(self, chunk, stop):
        self.said.append((chunk.first, chunk.written, chunk.predictions[chunk.written : stop]))

    def feed(self, number, *rows):
        self.driver.feed(Chunk(number, [b"%d" % row for row in rows]))

    def next(self, now):
        return self.driver.next(now)

    def answer(self, arrival, end):
        due, number, request = arrival
        x = Exchange()
        x.payload, x.due, x.start, x.end, x.status = number, due, due, end, 200
        x.body = json.dumps([f"p{n}" for n in json.loads(request.body)]).encode()
        x.head = b"HTTP/1.1 200 X\r\n\r\n"
        self.driver.done(x)


def test_without_rows_a_slot_rests_and_is_woken_by_rows():
    fed = Fed(concurrency=2)

    assert fed.next(0) is None
    assert FOREVER == fed.driver.rest(0)
    fed.feed(7, 1, 2, 3)
    assert 1 == fed.woken
    assert 3 == fed.driver.unsent
    assert b"[1,2]" == fed.next(0)[2].body


def test_rows_are_handed_on_as_soon_as_they_are_settled_not_in_the_order_they_came():
    fed = Fed(concurrency=3)
    fed.feed(0, 1, 2)
    fed.feed(1, 3, 4, 5)
    first, second, third = (fed.next(0) for _ in range(3))
    fed.answer(third, 1)
    fed.answer(second, 2)
    assert [(1, 0, ["p3", "p4", "p5"])] == fed.said
    fed.answer(first, 3)

    assert (0, 0, ["p1", "p2"]) == fed.said[-1]
    assert 5 == fed.driver.rows
    assert [1, 2, 3] == sorted(memoryview(fed.driver.take_times()).cast("q"))
    assert b"" == fed.driver.take_times()


def test_what_is_settled_of_a_chunk_is_told_before_the_rest_of_it():
    fed = Fed(concurrency=2)
    fed.feed(0, 1, 2, 3)
    first, second = fed.next(0), fed.next(0)
    fed.answer(first, 1)
    fed.driver.finish()
    fed.answer(second, 2)
    fed.driver.finish()

    assert [(0, 0, ["p1", "p2"]), (0, 2, ["p3"])] == fed.said


def test_a_smaller_share_waits_for_what_is_under_way_and_a_larger_one_counts_at_once():
    fed = Fed(concurrency=3)
    fed.feed(0, *range(20))
    flying = [fed.next(0) for _ in range(3)]
    assert fed.next(0) is None
    fed.driver.pace(1, 0)
    fed.answer(flying.pop(), 1)
    assert fed.next(1) is None
    fed.answer(flying.pop(), 2)
    assert fed.next(2) is None
    fed.driver.pace(2, 0)

    assert fed.next(2) is not None
    assert fed.next(2) is None


def test_a_share_of_nothing_sends_nothing_until_there_is_one():
    fed = Fed(concurrency=2)
    fed.driver.pace(0, 0)
    fed.feed(0, 1)
    assert (None, FOREVER) == (fed.next(0), fed.driver.rest(0))
    fed.driver.pace(1, 0)

    assert 1 == fed.woken
    assert fed.next(0) is not None


def test_another_interval_counts_from_the_last_request_on():
    fed = Fed(concurrency=9, interval_ns=10 * MS)
    fed.feed(0, *range(20))
    now = 1000 * MS
    assert fed.next(now) is not None
    for _ in range(3):  # a rate may catch up with this many
        fed.next(now)
    due = fed.driver.rest(now)
    fed.driver.pace(9, 40 * MS)

    assert due + 30 * MS == fed.driver.rest(now)


def test_nothing_leaves_before_it_may():
    fed = Fed(concurrency=9)
    fed.feed(0, 1)
    fed.driver.pace(9, MS, not_before=50 * MS)

    assert fed.next(49 * MS) is None
    assert 50 * MS == fed.driver.rest(49 * MS)
    assert fed.next(50 * MS) is not None


@pytest.mark.parametrize("rows", [(), (1, 2, 3)])
def test_once_it_is_ended_every_slot_retires(rows):
    fed = Fed(concurrency=1)
    if rows:
        fed.feed(0, *rows)
    fed.driver.end()

    assert (None, None) == (fed.next(0), fed.driver.rest(0))
