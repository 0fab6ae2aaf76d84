"""The driver of batches, on an engine with a test's replies and virtual time."""

import itertools
import json
import random
from collections import deque
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epkit.core.http.request import Template
from epkit.core.samples.rows import Failure
from epkit.core.score.batching import Chunk, Packer
from epkit.core.score.conveyor import Conveyor, Policy
from epkit.core.score.retrying import LONGEST_WAIT_NS, Backoff
from epkit.engines.base import FOREVER, INTERRUPTED, Exchange
from epkit.engines.batches import BatchDriver

MS = 1_000_000
HEAD = b"HTTP/1.1 %d X\r\n%b\r\n"


class Line:
    """Collects the written rows, in order."""

    def __init__(self):
        self.rows = []
        self.calls = 0

    def __call__(self, chunk, stop):
        self.calls += 1
        for place in range(chunk.written, stop):
            why = chunk.reasons.get(place)
            self.rows.append((chunk.first + place, chunk.predictions[place] if why is None else why.reason))


class World:
    """An engine with a number of slots; every request takes 1 ms, and a function of its rows makes the reply."""

    def __init__(self, sizes, answer, *, policy=None, invalid=(), rows=None):
        self.answer = answer
        self.now = 0
        self.line = Line()
        self.sent = []
        chunks = deque()
        first = 0
        for size in sizes:
            texts = [b"%d" % n if rows is None else json.dumps(rows[n]).encode() for n in range(first, first + size)]
            chunk = Chunk(first, texts)
            for place in [n - first for n in invalid if first <= n < first + size]:
                chunk.fail(place, place + 1, Failed)
            chunks.append(chunk)
            first += size
        self.policy = policy or Policy(batch_rows=4, concurrency=3, backoff=Backoff(base_ns=10 * MS))
        packer = Packer(b"[", b"]", most_bytes=self.policy.batch_bytes)
        self.driver = BatchDriver(
            Conveyor(lambda: chunks.popleft() if chunks else None, packer, self.line, self.policy),
            packer,
            Template("POST", "/", "h", [], marked="x-ms-client-request-id").fill,
            policy=self.policy,
            explain=lambda outcome: outcome.detail,
            dice=random.Random(1),
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
            later=lambda call: call(),
            wake=lambda: None,
        )

    def run(self, most=100_000):
        """Run until every slot retires; there are never more requests in flight than slots."""
        driver, slots = self.driver, self.policy.concurrency
        flying = []
        while most:
            most -= 1
            while len(flying) < slots and (arrival := driver.next(self.now)) is not None:
                flying.append(arrival)
                self.sent.append((self.now, json.loads(arrival[2].body)))
            if flying:
                due, number, request = flying.pop(0)
                self.now += MS
                driver.done(self._exchange(due, number, request))
                continue
            until = driver.rest(self.now)
            if until is None:
                driver.finish()
                return self
            assert until != FOREVER, "nothing is under way, and nothing would wake it"
            assert until > self.now, "a slot that is to ask again at once turns for ever"
            self.now = until
        raise AssertionError("it does not come to an end")

    def _exchange(self, due, number, request):
        x = Exchange()
        x.payload, x.due, x.start, x.end = number, due, due, self.now
        rows = json.loads(request.body)
        answer = self.answer(rows, len(self.sent))
        if isinstance(answer, Failure):
            x.failure, x.detail = answer, "it broke"
        elif isinstance(answer, tuple):
            x.status, fields = answer
            x.head = HEAD % (x.status, fields)
        else:
            x.status, x.body = 200, json.dumps(answer).encode()
            x.head = HEAD % (200, b"")
        return x


class Failed:
    reason = "contract"
    status = 0


def good(rows, _number=0):
    return [f"p{n}" for n in rows]


def expected(count, **failed):
    return [(n, failed.get(f"r{n}", f"p{n}")) for n in range(count)]


@pytest.mark.parametrize("sizes", [[1], [4], [10], [4, 4, 4], [1, 1, 1, 1, 1, 1, 1], [30, 2, 17], []])
def test_every_row_is_handed_on_once_and_in_order(sizes):
    context = World(sizes, good).run()

    assert expected(sum(sizes)) == context.line.rows
    assert context.driver.is_over


def test_rows_that_are_invalid_are_not_sent():
    context = World([10], good, invalid=(0, 4, 5, 9)).run()

    assert expected(10, r0="contract", r4="contract", r5="contract", r9="contract") == context.line.rows
    assert [[1, 2, 3], [6, 7, 8]] == sorted(rows for _, rows in context.sent)
    assert 4 == context.driver.failed_rows


def test_a_chunk_of_nothing_but_invalid_rows_is_handed_on():
    context = World([3, 3], good, invalid=range(6)).run()

    assert expected(6, **{f"r{n}": "contract" for n in range(6)}) == context.line.rows


def test_a_passing_failure_waits_and_goes_again():
    context = World([4], lambda rows, number: (503, b"") if number <= 3 else good(rows)).run()

    assert expected(4) == context.line.rows
    assert 3 == context.driver.retries
    waits = [later - earlier - MS for (earlier, _), (later, _) in itertools.pairwise(context.sent)]
    assert all(0 <= wait <= 10 * MS * 2**tries for tries, wait in enumerate(waits))


@pytest.mark.parametrize(
    ("field", "least"),
    [
        (b"Retry-After: 2\r\n", 2000),
        (b"retry-after-ms: 70\r\n", 70),
        (b"Retry-After: Thu, 01 Jan 2026 00:00:03 GMT\r\n", 3000),
    ],
)
def test_the_endpoint_says_when_to_come_back_and_nobody_comes_before(field, least):
    context = World([40], lambda rows, number: (429, field) if number == 3 else good(rows)).run()

    assert expected(40) == context.line.rows
    at = [when for when, _ in context.sent]
    pause = max(later - earlier for earlier, later in itertools.pairwise(at))
    assert pause >= (least - 3) * MS


def test_a_wait_that_is_too_long_is_cut_and_told_and_the_rows_go_again():
    said = []
    context = World(
        [40],
        lambda rows, number: (429, b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n") if number == 3 else good(rows),
    )
    context.driver.waits._say = said.append
    context.run()

    assert expected(40) == context.line.rows
    at = [when for when, _ in context.sent]
    assert (
        LONGEST_WAIT_NS <= max(later - earlier for earlier, later in itertools.pairwise(at)) < LONGEST_WAIT_NS + 10 * MS
    )
    assert [LONGEST_WAIT_NS] == [wait.ns for wait in said]
    assert said[0].asked_ns > 10**17
    assert 1 == context.driver.waits.times, "all were refused at once"
    assert LONGEST_WAIT_NS <= context.driver.waits.ns < LONGEST_WAIT_NS + 10 * MS


def test_a_batch_that_fails_for_good_is_cut_down_to_its_bad_row():
    context = World([20], lambda rows, _: (500, b"") if 13 in rows else good(rows)).run()

    assert expected(20, r13="status") == context.line.rows
    assert 0 == context.driver.retries


def test_a_row_that_breaks_connections_is_tried_and_given_up():
    context = World([20], lambda rows, _: Failure.TRANSPORT if 7 in rows else good(rows)).run()

    assert expected(20, r7="transport") == context.line.rows
    assert len([rows for _, rows in context.sent if rows == [7]]) == 2, "it is the row: once more is enough"


def test_retries_are_as_many_as_were_asked_for():
    policy = Policy(batch_rows=1, concurrency=1, retries=3, backoff=Backoff(base_ns=1))
    context = World([1], lambda *_: (504, b""), policy=policy).run()

    assert 4 == len(context.sent)
    assert [(0, "status")] == context.line.rows


def test_a_refusal_does_not_count_while_others_succeed():
    refused = set()

    def answer(rows, number):
        if rows[0] < 4 and len(refused) < 20:
            refused.add(number)
            return 429, b"retry-after-ms: 1\r\n"
        return good(rows)

    context = World([400], answer).run()

    assert expected(400) == context.line.rows


def test_an_endpoint_that_always_refuses_is_given_up():
    policy = Policy(batch_rows=4, concurrency=3, retries=2, backoff=Backoff(base_ns=1))
    context = World([4], lambda *_: (429, b""), policy=policy).run()

    assert [(n, "status") for n in range(4)] == context.line.rows


def test_refusals_bring_the_requests_at_once_down_and_successes_up_again():
    policy = Policy(batch_rows=1, concurrency=16, backoff=Backoff(base_ns=1))
    context = World(
        [600], lambda rows, number: (429, b"") if number in range(20, 30) else good(rows), policy=policy
    ).run()
    sizes = [sum(when == at for at, _ in context.sent) for when in sorted({when for when, _ in context.sent})]

    assert expected(600) == context.line.rows
    assert context.driver._window.size == 16
    assert max(sizes[:1]) == 16


def test_a_413_makes_every_later_body_smaller():
    context = World(
        [400], lambda rows, _: (413, b"") if len(rows) > 3 else good(rows), policy=Policy(batch_rows=16, concurrency=1)
    ).run()

    assert expected(400) == context.line.rows
    assert 3 >= sum(len(rows) > 3 for _, rows in context.sent)


def test_a_413_for_a_single_row_is_a_failed_row():
    context = World([8], lambda rows, _: (413, b"") if 5 in rows else good(rows)).run()

    assert expected(8, r5="status") == context.line.rows


def test_a_row_too_long_by_itself_is_not_sent():
    policy = Policy(batch_rows=10, batch_bytes=6, concurrency=2)
    context = World([120], good, policy=policy).run()

    assert expected(120) == context.line.rows
    short = World([120], good, policy=Policy(batch_rows=10, batch_bytes=4, concurrency=2)).run()
    assert expected(120, **{f"r{n}": "size" for n in range(100, 120)}) == short.line.rows
    assert max(len(json.dumps(rows, separators=(",", ":"))) for _, rows in short.sent) <= 4


@pytest.mark.parametrize("answer", [(401, b""), (403, b""), (404, b""), (302, b"Location: /x\r\n"), Failure.TLS])
def test_what_every_request_would_get_ends_the_run_and_fails_no_row(answer):
    context = World([100], lambda rows, number: answer if number > 5 else good(rows)).run()

    assert context.driver.hopeless is not None
    assert len(context.sent) < 12
    assert expected(len(context.line.rows)) == context.line.rows
    assert not context.driver.is_over


def test_an_endpoint_that_is_gone_ends_the_run_and_fails_no_row():
    context = World([100], lambda rows, number: Failure.CONNECT if number > 5 else good(rows)).run()

    assert Failure.CONNECT is context.driver.hopeless.failure
    assert expected(len(context.line.rows)) == context.line.rows


def test_a_rate_is_kept_whatever_happens():
    policy = Policy(batch_rows=1, concurrency=8, interval_ns=20 * MS, backoff=Backoff(base_ns=1))
    context = World([100], lambda rows, number: (503, b"") if number % 3 == 0 else good(rows), policy=policy).run()

    assert expected(100) == context.line.rows
    at = [when for when, _ in context.sent]
    assert at[-1] - at[0] >= (len(at) - 2) * 20 * MS


def test_rows_that_were_interrupted_stay_open():
    context = World([8], good)
    arrival = context.driver.next(0)
    x = Exchange()
    x.payload, x.failure, x.detail = arrival[1], Failure.TRANSPORT, INTERRUPTED
    context.driver.done(x)
    context.driver.finish()

    assert [] == context.line.rows
    assert not context.driver.is_over


def test_rows_are_handed_on_before_their_chunk_is_whole():
    context = World([4000], good, policy=Policy(batch_rows=1, concurrency=1)).run()

    assert expected(4000) == context.line.rows
    assert context.line.calls >= 4


ANSWERS = st.sampled_from(
    ["good"] * 6
    + [(429, b""), (429, b"retry-after-ms: 3\r\n"), (503, b"Retry-After: 0\r\n"), (503, b""), (500, b""), (408, b"")]
    + [Failure.TIMEOUT, Failure.TRANSPORT, Failure.CONNECT, [], {"error": "x"}]
)


@settings(max_examples=300)
@given(
    st.lists(st.integers(1, 40), max_size=5),
    st.integers(1, 12),
    st.integers(1, 6),
    st.lists(ANSWERS, max_size=60),
    st.sets(st.integers(0, 60), max_size=3),
    st.sets(st.integers(0, 60), max_size=10),
)
def test_whatever_the_endpoint_does_each_row_is_settled_once_and_in_order(
    sizes, batch_rows, concurrency, answers, poisoned, invalid
):
    script = deque(answers)

    def answer(rows, _number):
        if poisoned.intersection(rows):
            return 500, b""
        said = script.popleft() if script else "good"
        return good(rows) if said == "good" else said

    policy = Policy(batch_rows=batch_rows, concurrency=concurrency, backoff=Backoff(base_ns=5 * MS))
    context = World(sizes, answer, policy=policy, invalid=invalid).run()
    numbers = [number for number, _ in context.line.rows]

    assert list(range(len(numbers))) == numbers
    if context.driver.hopeless is None:
        assert sum(sizes) == len(numbers)
        assert all(said != f"p{number}" for number, said in context.line.rows if number in poisoned | invalid)
    assert all(said == f"p{number}" for number, said in context.line.rows if said.startswith("p"))
    assert len(numbers) == context.driver.rows


# Failures that the first batches share.

SAME = [
    (400, b""),
    (422, b""),
    (500, b""),
    {"error": "no such column"},
    {"answer": {"a": 1}},
    {"predictions": []},
    "no JSON that is known",
]


@pytest.mark.parametrize("answer", SAME, ids=str)
@pytest.mark.parametrize("policy", [Policy(batch_rows=100, concurrency=1), Policy(batch_rows=100, concurrency=8)])
def test_a_failure_that_all_requests_share_ends_the_run(answer, policy):
    context = World([1000], lambda rows, number: answer, policy=policy).run()

    assert context.driver.hopeless.shared
    assert len(context.sent) <= max(5, policy.concurrency) + 5
    assert not context.driver.is_over
    assert {True} == {said in ("status", "application", "contract", "mismatch") for _, said in context.line.rows}


@pytest.mark.parametrize(("sizes", "most"), [([300], 8), ([100, 100, 100], 8), ([100], 6), ([20], 6), ([6], 6)])
def test_fewer_batches_are_not_asked_for_every_row_either(sizes, most):
    policy = Policy(batch_rows=100, concurrency=8)
    context = World(sizes, lambda rows, number: (400, b""), policy=policy).run()

    assert context.driver.hopeless.shared
    assert len(context.sent) <= most
    assert [(n, "status") for n in range(sum(sizes))] == context.line.rows, "what was asked is said of all rows"


@pytest.mark.parametrize("rows", [1, 2, 4])
def test_where_every_row_was_asked_by_itself_the_run_is_over_and_not_ended(rows):
    context = World([rows], lambda rows, number: (400, b"")).run()

    assert context.driver.hopeless is None
    assert [(n, "status") for n in range(rows)] == context.line.rows
    assert len(context.sent) <= 2 * rows


def test_batches_of_one_row_end_the_run_after_five():
    context = World([1000], lambda rows, number: (400, b""), policy=Policy(batch_rows=1, concurrency=1)).run()

    assert 5 == len(context.sent)
    assert context.driver.hopeless.shared


@pytest.mark.parametrize("bad", [{0}, {7, 150, 299}, set(range(0, 300, 10)), set(range(1, 300, 2))])
def test_bad_rows_of_a_healthy_endpoint_are_found_though_every_batch_has_some(bad):
    def answer(rows, _number):
        return (400, b"") if bad.intersection(rows) else good(rows)

    context = World([300], answer, policy=Policy(batch_rows=20, concurrency=4)).run()

    assert context.driver.hopeless is None
    assert expected(300, **{f"r{n}": "status" for n in bad}) == context.line.rows


def test_failures_that_differ_end_no_run():
    context = World([20], lambda rows, number: {"error": f"rows {rows}"}).run()

    assert context.driver.hopeless is None
    assert [(n, "application") for n in range(20)] == context.line.rows


def test_a_job_that_has_predictions_already_is_not_ended():
    policy = Policy(batch_rows=10, concurrency=1, proved=True)
    context = World([20], lambda rows, number: (400, b""), policy=policy).run()

    assert context.driver.hopeless is None
    assert [(n, "status") for n in range(20)] == context.line.rows


def test_a_success_while_batches_are_held_sends_them_again():
    context = World([100], lambda rows, number: (400, b"") if number < 4 else good(rows)).run()

    assert expected(100) == context.line.rows


# Replies that name the row of each value.


def test_predictions_are_joined_on_the_index_of_their_reply():
    def forecast(rows, _number):
        rows = sorted(rows, key=lambda row: (row["store"], row["day"]))
        return {"Results": {"forecast": [f"{row['store']}{row['day']}" for row in rows], "index": rows}}

    rows = [{"day": day, "store": store} for day in range(5) for store in "ab"]
    context = World([10], forecast, rows=rows).run()

    assert [(n, f"{row['store']}{row['day']}") for n, row in enumerate(rows)] == context.line.rows
    assert 0 == context.driver.failed_rows


def test_rows_that_an_index_does_not_have_fail_and_the_others_are_kept():
    def forecast(rows, _number):
        rows = [row for row in rows if row["day"] != 2]
        return {"forecast": [row["day"] for row in rows][::-1], "index": rows[::-1]}

    rows = [{"day": day} for day in range(6)]
    context = World([6], forecast, rows=rows).run()

    assert [(0, 0), (1, 1), (2, "mismatch"), (3, 3), (4, 4), (5, 5)] == context.line.rows
    assert 1 == context.driver.failed_rows
    assert 2 == len(context.sent), "what was answered is not asked again"


def test_an_index_of_columns_that_were_not_sent_places_nothing():
    answer = {"forecast": [1, 2, 3, 4], "index": [{"x": n} for n in range(4)]}
    context = World([4], lambda rows, number: answer, rows=[{"day": day} for day in range(4)]).run()

    assert [(n, "mismatch") for n in range(4)] == context.line.rows


def test_rows_that_are_repeated_in_the_reply_bring_their_predictions_along():
    rows = [{"id": n, "y": 0} for n in range(8)]
    context = World([8], lambda rows, number: [{**row, "y": row["id"] * 2} for row in rows[::-1]], rows=rows).run()

    assert [(n, {"id": n, "y": n * 2}) for n in range(8)] == context.line.rows
