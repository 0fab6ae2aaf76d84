"""Each part of a request from its clock points."""

import pytest

from epkit.core.report.report import Latencies
from epkit.core.samples.latency import PARTS, WHOLE, series
from epkit.core.samples.rows import Failure
from support.rows import rows

FRESH = {
    "due": 5, "start": 10, "tcp": 30, "connected": 70, "sent": 75, "first": 175, "end": 190, "server": 60,
}  # fmt: skip
EXPECTED = {
    "service": [180], "response": [185], "connect": [20], "tls": [40], "waiting": [100], "processing": [120],
    "transfer": [15], "server": [60], "network": [120], "failed": [],
}  # fmt: skip


def test_the_parts_are_those_of_the_report():
    assert list(Latencies.__dataclass_fields__) == list(PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_a_request_on_a_new_tls_connection_has_every_part(name):
    assert EXPECTED[name] == series(name, rows(1, **FRESH)).tolist()


@pytest.mark.parametrize("name", PARTS)
def test_a_failed_request_is_timed_apart(name):
    failed = rows(1, **FRESH, failure=Failure.STATUS)

    assert ([180] if name == "failed" else []) == series(name, failed).tolist()


@pytest.mark.parametrize("name", ["connect", "tls"])
def test_a_kept_connection_has_no_connect_and_no_handshake(name):
    assert series(name, rows(3)).tolist() == []


def test_a_plain_connection_has_a_connect_and_no_handshake():
    plain = rows(1, start=10, tcp=30, connected=30)

    assert series("connect", plain).tolist() == [20]
    assert series("tls", plain).tolist() == []


def test_a_reply_before_the_last_byte_was_sent_did_not_wait():
    assert series("waiting", rows(1, start=0, sent=50, first=40, end=60)).tolist() == [0]


def test_a_server_that_claims_more_than_the_request_took_leaves_no_network_time():
    assert series("network", rows(1, start=0, end=60, server=100)).tolist() == [0]


def test_a_server_that_says_nothing_has_no_time_and_zero_is_something():
    mixed = rows(3, start=0, end=60, server=[-1, 0, 20])

    assert series("server", mixed).tolist() == [0, 20]
    assert series("network", mixed).tolist() == [60, 40]


def test_successes_and_failures_are_told_apart_in_order():
    mixed = rows(4, start=0, end=[1, 2, 3, 4], failure=[0, Failure.TIMEOUT, 0, Failure.STATUS])

    assert series("service", mixed).tolist() == [1, 3]
    assert series("failed", mixed).tolist() == [2, 4]


def test_a_whole_reply_is_one_that_was_read_to_its_end():
    whole = {kind for kind in Failure if WHOLE[kind]}

    assert {
        Failure.NONE, Failure.STATUS, Failure.EMPTY, Failure.APPLICATION, Failure.CONTRACT, Failure.MISMATCH,
    } == whole  # fmt: skip
