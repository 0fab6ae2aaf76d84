"""The failures after which a request is repeated, and the time to wait."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.samples.rows import Failure
from epkit.core.score.retrying import (
    LONGEST_ASKED_NS,
    LONGEST_WAIT_NS,
    Backoff,
    RetryWait,
    Waits,
    is_transient,
    retry_after,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2 * SECOND),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "1.5"}, 3 * SECOND // 2),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:15 GMT"}, 10 * SECOND),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:15 -0000"}, 10 * SECOND),
        ({"retry-after": "Fri, 02 Jan 2026 03:04:00 GMT"}, 0),
        ({"retry-after": "Friday, 02-Jan-26 03:04:15 GMT"}, 10 * SECOND),
        ({"retry-after": "999999999"}, LONGEST_WAIT_NS),
        ({"retry-after": "Fri, 02 Jan 9026 03:04:00 GMT"}, LONGEST_WAIT_NS),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_WAIT_NS),
        ({"retry-after": "9" * 300}, LONGEST_WAIT_NS),
        ({"retry-after": "9" * 3000}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Mon, 01 Jan 0001 00:00:00 GMT"}, 0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Fri, 99 Jan 2026 03:04:00 GMT"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after-ms": "250"}, SECOND // 4),
        ({"retry-after-ms": "250", "retry-after": "9"}, SECOND // 4),
        ({"x-ms-retry-after-ms": "20.5"}, 20_500_000),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9 * SECOND),
    ],
)
def test_the_time_to_wait_is_read_in_every_form(headers, expected):
    found = retry_after(headers, NOW)

    assert expected == (None if found is None else found.ns)
    assert found is None or found.ns == min(found.asked_ns, LONGEST_WAIT_NS)


@given(st.text(), st.text())
def test_whatever_a_server_says_is_a_time_or_nothing(first, second):
    found = retry_after({"retry-after": first, "retry-after-ms": second}, NOW)

    assert found is None or 0 <= found.ns <= LONGEST_WAIT_NS
    assert found is None or found.ns <= found.asked_ns <= LONGEST_ASKED_NS


def test_waits_that_overlap_are_one_and_all_are_added_up():
    said = []
    waits = Waits(said.append)
    short, longer, third = RetryWait(5, 5), RetryWait(900, 20), RetryWait(3, 3)
    waits.ask(short, 100)
    waits.ask(RetryWait(2, 2), 101)
    waits.ask(longer, 103)
    waits.ask(RetryWait(0, 0), 500)
    assert (0, 7) == (waits.left_ns(123), waits.left_ns(116))
    waits.ask(third, 500)

    assert [short, third] == said
    assert (2, 23 + 3) == (waits.times, waits.ns)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_double_up_to_the_cap_and_are_drawn_from_the_whole(tries, draw):
    backoff = Backoff(base_ns=100, cap_ns=1_000_000)
    bound = min(1_000_000, 100 * 2 ** (tries - 1))

    assert int(bound * draw) == backoff.delay_ns(tries, draw)


@pytest.mark.parametrize(
    ("failure", "status", "expected"),
    [
        (Failure.CONNECT, 0, True),
        (Failure.TIMEOUT, 0, True),
        (Failure.TRANSPORT, 200, True),
        (Failure.TLS, 0, False),
        (Failure.APPLICATION, 200, False),
        (Failure.MISMATCH, 200, False),
        *[(Failure.STATUS, status, True) for status in (408, 429, 502, 503, 504)],
        *[(Failure.STATUS, status, False) for status in (400, 401, 404, 413, 424, 500, 501)],
    ],
)
def test_what_says_nothing_about_the_rows_is_worth_another_try(failure, status, expected):
    assert expected is is_transient(failure, status)
