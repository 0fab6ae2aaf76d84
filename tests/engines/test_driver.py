"""The driver: which request a free slot sends, what happens to a result, and when blocks are passed on."""

import json
import tracemalloc
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epkit.core.http.request import Request, build
from epkit.core.load.phases import PhaseTimes
from epkit.core.load.plan import Phase
from epkit.core.replies.judging import Depth
from epkit.core.samples.rows import SAMPLE, Failure
from epkit.engines import driver as module
from epkit.engines.base import Exchange
from epkit.engines.driver import BLOCK_ROWS, FLUSH_NS, ClosedLoop, Judging

BEGAN = 5_000_000_000
MS = 1_000_000
TWO = b'{"result": ["yes", "no"]}'
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
NAMES = ("due", "start", "tcp", "connected", "sent", "first", "end")


class Clock:
    """Time that passes only when a test moves it."""

    def __init__(self) -> None:
        self.now = BEGAN

    def perf_counter_ns(self) -> int:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_the_clock_starts_when_it_was_agreed_to_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ticking(Clock):
        def perf_counter_ns(self) -> int:
            self.now += 1000
            return self.now

    monkeypatch.setattr(module, "time", Ticking())
    early, late = make(begin=False).driver, make(begin=False).driver
    early.began_at, late.began_at = BEGAN + 50_500, BEGAN + 50_500

    early.begin()  # at BEGAN + 1000
    late.begin()  # a tick after the other one ends
    found = [(driver.began - BEGAN, driver.late_ns) for driver in (early, late)]

    assert [(50_500, 500), (50_500, 1500)] == found


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, int | None]]:
    """Return body and expected rows of every reply that was really judged."""
    seen: list[tuple[bytes, int | None]] = []
    judge = module.judge_reply

    def note(head: bytes, body: bytes, rows: int | None, **further: Any) -> tuple[Failure, str]:
        seen.append((body, rows))
        return judge(head, body, rows, **further)

    monkeypatch.setattr(module, "judge_reply", note)
    return seen


@dataclass
class Loop:
    """A driver with a sink that stores everything."""

    driver: ClosedLoop
    blocks: list[np.ndarray] = field(default_factory=list)

    def done(self, body: bytes = TWO, head: bytes = PLAIN, status: int = 200, **changes: Any) -> Exchange:
        """Pass a result to the driver: by default a complete good reply on a kept connection."""
        x = Exchange()
        x.due = x.start = x.tcp = x.connected = BEGAN
        x.sent = BEGAN + 1
        x.first = x.end = BEGAN + 2
        x.body, x.head, x.status, x.received = body, head, status, len(head) + len(body)
        for name, value in changes.items():
            setattr(x, name, value)
        self.driver.done(x)
        return x

    @property
    def rows(self) -> np.ndarray:
        """Flush, and return all rows."""
        self.driver.flush()
        return np.concatenate(self.blocks) if self.blocks else np.zeros(0, dtype=SAMPLE)


def requests(n: int, method: str = "POST") -> list[Request]:
    return [build(method, "/score", "h", [], b"%d" % i) for i in range(n)]


def make(
    n: int = 1, *, rows: int | list[int | None] | None = 2, method: str = "POST", begin: bool = True, **options: Any
) -> Loop:
    """Make a driver for *n* payloads; arguments that are not for a phase go to the driver."""
    phase = {name: options.pop(name) for name in ("requests", "duration_ns") if name in options}
    expected = rows if isinstance(rows, list) else [rows] * n
    blocks: list[np.ndarray] = []
    judging = Judging(sinks=[lambda block: blocks.append(block.copy())], **options)
    driver = ClosedLoop(Phase(**phase), requests(n, method), expected, judging, PhaseTimes())
    if begin:
        driver.begin()
    return Loop(driver, blocks)


# Which request a free slot sends.


@given(st.integers(1, 5), st.integers(0, 40), st.integers(0, 10))
def test_each_payload_is_sent_in_its_turn_and_no_request_too_many(payloads: int, n: int, more: int) -> None:
    driver = make(payloads, requests=n).driver
    arrivals = [driver.next(BEGAN + i) for i in range(n + more)]

    assert [i % payloads for i in range(n)] == [arrival[1] for arrival in arrivals if arrival]
    assert [None] * more == arrivals[n:]
    for i, arrival in enumerate(arrivals[:n]):
        assert arrival is not None
        due, payload, request = arrival
        assert due == BEGAN + i, "a closed loop has nothing that is late"
        assert request.body == b"%d" % payload


@pytest.mark.parametrize("payloads", [1, 2])
def test_requests_are_replaced_in_mid_run_and_the_turns_go_on(payloads: int) -> None:
    driver = make(payloads, requests=4).driver
    first = driver.next(BEGAN)
    others = requests(payloads, "PUT")
    driver.replace(others)
    second, third = driver.next(BEGAN), driver.next(BEGAN)

    assert first is not None
    assert second is not None
    assert third is not None
    assert "PUT" != first[2].method
    assert [others[1 % payloads], others[0]] == [second[2], third[2]]


def test_without_a_count_or_a_duration_there_is_always_another() -> None:
    driver = make().driver

    assert all(driver.next(10**18 + i) for i in range(10_000))


def test_with_a_count_and_a_duration_the_count_may_be_first(clock: Clock) -> None:
    driver = make(requests=2, duration_ns=10 * MS).driver

    assert [True, True, False] == [driver.next(BEGAN + i) is not None for i in range(3)]


def test_with_a_count_and_a_duration_the_duration_may_be_first(clock: Clock) -> None:
    driver = make(requests=20, duration_ns=10 * MS).driver
    late = BEGAN + 10 * MS

    assert [True, True, False, False] == [driver.next(t) is not None for t in (BEGAN, late - 1, late, late + 1)]


def test_the_duration_begins_when_the_run_does(clock: Clock) -> None:
    loop = make(duration_ns=10 * MS, begin=False)
    clock.now += 3_600_000 * MS
    loop.driver.begin()

    assert loop.driver.next(clock.now + 10 * MS - 1) is not None
    assert loop.driver.next(clock.now + 10 * MS) is None


def test_stopping_gives_out_no_more_and_still_takes_outcomes() -> None:
    loop = make(3, requests=10)
    assert loop.driver.next(BEGAN)
    loop.driver.stop()

    assert [None, None] == [loop.driver.next(BEGAN), loop.driver.next(BEGAN)]
    loop.done()
    assert 1 == len(loop.rows)


# What happens to a result.


def test_a_row_says_what_the_exchange_did_since_the_run_began(clock: Clock) -> None:
    loop = make(3)
    points = {name: BEGAN + i * MS for i, name in enumerate(NAMES)}
    loop.done(payload=2, **points)
    row = loop.rows[0]

    assert [i * MS for i in range(len(NAMES))] == [row[name] for name in NAMES]
    expected = {
        "server": -1, "received": len(PLAIN) + len(TWO), "body": len(TWO), "payload": 2, "status": 200,
        "failure": 0, "deployment": 0,
    }  # fmt: skip
    assert expected == {name: row[name] for name in SAMPLE.names or () if name not in NAMES}


@pytest.mark.parametrize(
    ("changes", "failure"),
    [
        ({}, Failure.NONE),
        ({"failure": Failure.CONNECT, "status": 0, "body": b""}, Failure.CONNECT),
        ({"failure": Failure.TLS, "status": 0, "body": b""}, Failure.TLS),
        ({"failure": Failure.TIMEOUT, "status": 0, "body": b""}, Failure.TIMEOUT),
        ({"failure": Failure.TRANSPORT, "body": b'{"resu'}, Failure.TRANSPORT),
        ({"failure": Failure.TRANSPORT, "status": 500}, Failure.TRANSPORT),
        ({"status": 302}, Failure.STATUS),
        ({"status": 503}, Failure.STATUS),
        ({"status": 304, "body": b""}, Failure.STATUS),
        ({"status": 201}, Failure.NONE),
        ({"status": 201, "body": b'{"error": "x"}'}, Failure.APPLICATION),
        ({"status": 204, "body": b""}, Failure.EMPTY),
        ({"body": b""}, Failure.EMPTY),
        ({"body": b'{"error": "x"}'}, Failure.APPLICATION),
        ({"body": b"{"}, Failure.CONTRACT),
        ({"body": b"[1]"}, Failure.MISMATCH),
    ],
)
def test_every_outcome_has_its_kind_however_often_it_comes(changes: dict[str, Any], failure: Failure) -> None:
    loop = make()
    for _ in range(3):
        loop.done(**changes)

    assert [failure] * 3 == loop.rows["failure"].tolist()
    assert [(failure, 3)] * bool(failure) == [
        (example.failure, example.count) for example in loop.driver.examples.values()
    ]


@pytest.mark.parametrize(
    ("method", "failure"),
    [("POST", Failure.EMPTY), ("GET", Failure.NONE), ("PUT", Failure.NONE), ("HEAD", Failure.NONE)],
)
def test_no_content_answers_what_wants_none(method: str, failure: Failure) -> None:
    loop = make(method=method)
    loop.done(status=204, body=b"")

    assert [failure] == loop.rows["failure"].tolist()


@pytest.mark.parametrize("coding", ["br", "zstd", "x-new"])
def test_a_reply_of_a_coding_that_is_not_read_is_judged_by_its_status(coding: str) -> None:
    head = PLAIN.replace(b"\r\n\r\n", b"\r\nContent-Encoding: " + coding.encode() + b"\r\n\r\n")
    loop = make()
    loop.done(head=head, body=b"\x28\xb5\x2f\xfd")
    loop.done(head=head, body=b"\x28\xb5", status=500)

    assert [Failure.NONE, Failure.STATUS] == loop.rows["failure"].tolist()


def test_a_status_alone_can_be_enough(judged: list[Any]) -> None:
    loop = make(depth=Depth.STATUS)
    for status, body in ((200, b""), (200, b'{"error": "x"}'), (500, TWO)):
        loop.done(status=status, body=body)

    assert [Failure.NONE, Failure.NONE, Failure.STATUS] == loop.rows["failure"].tolist()
    assert judged == []


def test_head_has_no_body_and_is_no_failure(judged: list[Any]) -> None:
    loop = make(method="HEAD")
    loop.done(body=b"")

    assert [Failure.NONE] == loop.rows["failure"].tolist()
    assert judged == []


@pytest.mark.parametrize("body", [TWO, b"", b"[1]", b"Healthy"])
def test_a_verdict_is_remembered_for_each_payload(judged: list[Any], body: bytes) -> None:
    loop = make(3, rows=[2, 1, None])
    for i in range(30):
        loop.done(body=body, payload=i % 3)

    assert [(body, 2), (body, 1), (body, None)] == judged


def test_the_same_body_is_right_for_one_payload_and_wrong_for_another() -> None:
    loop = make(2, rows=[2, 3])
    for i in range(6):
        loop.done(payload=i % 2)

    assert [Failure.NONE, Failure.MISMATCH] * 3 == loop.rows["failure"].tolist()


def test_a_long_body_is_judged_each_time(judged: list[Any]) -> None:
    loop = make()
    long = json.dumps({"result": ["y" * module.REMEMBERED_BYTES, "n"]}).encode()
    for _ in range(3):
        loop.done(body=long)

    assert [(long, 2)] * 3 == judged


def test_what_is_remembered_is_bounded_whatever_the_payloads_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMO_BYTES", 100_000)
    loop = make(50, depth=Depth.REPLY)

    def remembered() -> int:
        return sum(len(body) + module.VERDICT_BYTES for verdicts in loop.driver._verdicts for body in verdicts)

    most = 0
    for i in range(2000):
        loop.done(body=b'{"result": [%d, %d]}' % (i, i), payload=i % 50)
        most = max(most, remembered())

    assert 90_000 < most <= 100_000
    assert {0} == set(loop.rows["failure"].tolist())


def test_replies_that_are_never_the_same_do_not_fill_the_memory() -> None:
    loop = make(200)
    loop.driver._sinks = ()
    tracemalloc.start()
    try:
        for i in range(12_000):
            loop.done(body=b'{"result": [%d, 2], "pad": "%s"}' % (i, b"x" * 3500), payload=i % 200)
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert kept < 1.5 * module.MEMO_BYTES


# The stored failures.


def test_the_first_failure_of_each_kind_and_status_is_kept_with_its_reason() -> None:
    loop = make(2)
    loop.done(status=500, body=b"first", payload=1)
    loop.done(status=503, body=b"busy")
    loop.done(status=500, body=b"second")
    loop.done(body=b'{"error": "boom"}')
    loop.done(body=b'{"error": "bang"}')
    loop.done(failure=Failure.TIMEOUT, detail="too late", status=0, body=b"", head=b"", received=0)
    examples = loop.driver.examples
    found = {key: (e.count, e.detail, e.body, e.payload) for key, e in examples.items()}

    assert found == {
        (Failure.STATUS, 500): (2, "", b"first", 1),
        (Failure.STATUS, 503): (1, "", b"busy", 0),
        (Failure.APPLICATION, 200): (2, "boom", b'{"error": "boom"}', 0),
        (Failure.TIMEOUT, 0): (1, "too late", b"", 0),
    }
    assert PLAIN == examples[Failure.STATUS, 500].head


def test_a_reason_is_that_of_its_own_reply() -> None:
    loop = make()
    x = loop.done(body=b'{"error": "boom"}')
    x.status, x.body = 503, b"busy"
    loop.driver.done(x)  # engines use an exchange again

    assert ["boom", ""] == [example.detail for example in loop.driver.examples.values()]


def test_a_reason_is_known_under_every_status() -> None:
    loop = make()
    for status in (201, 200, 200):
        loop.done(body=b'{"error": "boom"}', status=status)

    assert [("boom", 1), ("boom", 2)] == [(example.detail, example.count) for example in loop.driver.examples.values()]


def test_of_a_long_reply_the_beginning_is_kept() -> None:
    loop = make()
    loop.done(status=500, body=b"x" * 10**6)

    assert module.EXAMPLE_BYTES == len(loop.driver.examples[Failure.STATUS, 500].body)
    assert 10**6 == loop.rows["body"][0]


def test_requests_that_never_found_a_connection_are_counted_by_payload() -> None:
    loop = make(3)
    never = {"sent": BEGAN, "status": 0, "body": b"", "head": b"", "received": 0}
    loop.done(failure=Failure.CONNECT, payload=1, **never)
    loop.done(failure=Failure.TLS, payload=1, **never)
    loop.done(failure=Failure.TIMEOUT, payload=2, **never)
    loop.done(failure=Failure.TIMEOUT, payload=2, **never | {"sent": BEGAN + 1})
    loop.done(failure=Failure.TRANSPORT, payload=0)
    loop.done(payload=1)

    assert {1: 2, 2: 1} == loop.driver.unsent


def test_the_first_whole_reply_is_kept_whatever_it_says() -> None:
    loop = make()
    loop.done(failure=Failure.TRANSPORT, head=b"HTTP/1.1 200 O", status=0)
    assert b"" == loop.driver.first_head
    loop.done(status=500, head=b"HTTP/1.1 500 No\r\nServer: a\r\n\r\n")
    loop.done(head=b"HTTP/1.1 200 OK\r\nServer: b\r\n\r\n")

    assert b"HTTP/1.1 500 No\r\nServer: a\r\n\r\n" == loop.driver.first_head


# The information in headers about the server.


def named(deployment: str = "", ms: str = "", status: int = 200) -> bytes:
    lines = [f"HTTP/1.1 {status} OK"] + [f"azureml-model-deployment: {deployment}"] * bool(deployment)
    return "\r\n".join([*lines, *[f"x-ms-run-fn-exec-ms: {ms}"] * bool(ms), "", ""]).encode()


def test_the_servers_own_time_and_deployment_stand_in_the_row() -> None:
    loop = make()
    for deployment, ms in (("blue", "1.5"), ("green", ""), ("blue", "2"), ("", "3")):
        loop.done(head=named(deployment, ms))

    assert [1_500_000, -1, 2_000_000, 3_000_000] == loop.rows["server"].tolist()
    assert [1, 2, 1, 0] == loop.rows["deployment"].tolist()
    assert ["", "blue", "green"] == loop.driver.deployments


def test_headers_are_looked_at_no_more_once_a_good_reply_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    fields = module.fields
    monkeypatch.setattr(module, "fields", lambda head: (looked.append(head), fields(head))[1])
    loop = make()
    heads = [named(status=503), named("blue", status=500), named("blue", "1"), PLAIN, named("blue", "2")]
    for head in heads:
        loop.done(head=head, status=int(head[9:12]))
    loop.done(head=named("blue", "3"))

    assert heads[:4] == looked, "a bad reply says nothing of what good ones will say"
    assert [0, 1, 1, 0, 0, 0] == loop.rows["deployment"].tolist()
    assert [-1, -1, 1_000_000, -1, -1, -1] == loop.rows["server"].tolist()


def test_a_reply_that_never_came_says_nothing_of_the_server() -> None:
    loop = make()
    loop.done(failure=Failure.CONNECT, head=b"", status=0, body=b"", received=0)
    loop.done(head=named("blue", "1"))

    assert [(-1, 0), (1_000_000, 1)] == [(row["server"], row["deployment"]) for row in loop.rows]


def test_more_deployments_than_a_column_can_name_stay_unnamed() -> None:
    loop = make()
    for i in range(600):
        loop.done(head=named(f"d{i % 300}"))
    found = Counter(loop.rows["deployment"].tolist())

    assert 255 == len(loop.driver.deployments), "the nameless one and 254 more"
    assert {0: 2 * (300 - 254)} | dict.fromkeys(range(1, 255), 2) == found
    assert [f"d{i}" for i in range(254)] == loop.driver.deployments[1:]


# When blocks are passed on.


def test_a_full_block_leaves_at_once(clock: Clock) -> None:
    loop = make()
    for _ in range(BLOCK_ROWS - 1):
        loop.done()
    assert [] == loop.blocks
    for _ in range(BLOCK_ROWS + 2):
        loop.done()

    assert [BLOCK_ROWS] * 2 == [len(block) for block in loop.blocks]
    assert 2 * BLOCK_ROWS == loop.driver.sent
    assert 2 * BLOCK_ROWS + 1 == len(loop.rows)


def test_a_block_leaves_when_its_time_has_come(clock: Clock) -> None:
    loop = make()
    for ns in (1, FLUSH_NS - 1, FLUSH_NS):
        loop.done(end=BEGAN + ns)
    assert [] == loop.blocks
    clock.now = BEGAN + FLUSH_NS + 1
    for ns in (1, 100, FLUSH_NS):
        loop.done(end=clock.now + ns - 1)
    assert [4] == [len(block) for block in loop.blocks]
    loop.done(end=clock.now + FLUSH_NS + 1)

    assert [4, 3] == [len(block) for block in loop.blocks]
    assert [1, FLUSH_NS - 1, FLUSH_NS, FLUSH_NS + 1] == loop.blocks[0]["end"].tolist()


def test_what_is_left_of_a_block_is_not_in_the_next(clock: Clock) -> None:
    loop = make()
    loop.done(due=BEGAN - 5, received=7)
    loop.driver.flush()
    loop.done(received=8)
    loop.driver.flush()

    assert [[(-5, 7)], [(0, 8)]] == [block[["due", "received"]].tolist() for block in loop.blocks]


def test_every_sink_gets_every_block() -> None:
    one: list[np.ndarray] = []
    other: list[np.ndarray] = []
    driver = ClosedLoop(Phase(), requests(1), [2], Judging(sinks=[one.append, other.append]), PhaseTimes())
    driver.begin()
    Loop(driver).done()
    driver.flush()

    assert [1] == [len(block) for block in one]
    assert one[0] is other[0]


def test_nothing_is_handed_over_where_there_is_nothing(clock: Clock) -> None:
    loop = make()
    loop.driver.flush()

    assert [] == loop.blocks
    assert (BEGAN, BEGAN, 0, 0) == (loop.driver.began, loop.driver.ended, loop.driver.sent, loop.driver.failed)


def test_the_run_ends_with_its_last_request(clock: Clock) -> None:
    loop = make()
    for ms, status in ((30, 200), (50, 500), (40, 200)):
        loop.done(end=BEGAN + ms * MS, status=status)
    clock.now += 1000 * MS
    loop.driver.flush()

    assert (BEGAN, BEGAN + 50 * MS) == (loop.driver.began, loop.driver.ended)
    assert (3, 1) == (loop.driver.sent, loop.driver.failed)
    assert loop.driver.started_at.utcoffset() is not None


OUTCOMES = st.sampled_from(
    [
        (200, TWO, Failure.NONE),
        (200, b"", Failure.EMPTY),
        (200, b"[1]", Failure.MISMATCH),
        (500, b"no", Failure.STATUS),
        (0, b"", Failure.TIMEOUT),
    ]
)


@settings(max_examples=50)
@given(st.lists(OUTCOMES, max_size=60), st.integers(1, 7))
def test_every_request_is_counted_once_and_in_its_class(
    outcomes: list[tuple[int, bytes, Failure]], block_rows: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", block_rows * SAMPLE.itemsize)
        loop = make()
        for status, body, failure in outcomes:
            said = failure if failure is Failure.TIMEOUT else Failure.NONE
            loop.done(status=status, body=body, failure=said, detail="late" if said else "")
        rows = loop.rows

    assert [failure for _, _, failure in outcomes] == rows["failure"].tolist()
    kinds = Counter((failure, status) for status, _, failure in outcomes if failure)
    assert kinds == {key: example.count for key, example in loop.driver.examples.items()}
    assert (len(outcomes), kinds.total()) == (loop.driver.sent, loop.driver.failed)
    assert all(len(block) <= block_rows for block in loop.blocks)


def test_a_log_sees_every_exchange_before_it_is_judged() -> None:
    seen: list[tuple[Failure, bytes]] = []
    loop = make(log=lambda x: seen.append((x.failure, x.body)))
    for _ in range(2):
        loop.done(body=b'{"error": "boom"}')
    loop.done(failure=Failure.TIMEOUT, detail="late")

    assert [(Failure.NONE, b'{"error": "boom"}')] * 2 + [(Failure.TIMEOUT, TWO)] == seen
