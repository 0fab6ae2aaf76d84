"""The ids of requests: their form, and their place in a request."""

import re

import pytest

from epkit.core.http.request import build
from epkit.core.http.request_ids import RequestIds, numbered, request_id, unnumbered

RUN = "4f0c9d1e2ab37788"
HEADERS = ["x-ms-client-request-id", "X-Request-Id", "traceparent", "Traceparent"]


def test_an_id_is_run_and_number():
    assert f"{RUN}-000002345678901" == RequestIds(header="x-request-id", run=RUN).text(2_345_678_901)
    assert f"{RUN}-7" == request_id(RUN, 7)


def test_a_trace_has_run_and_number_and_is_not_sampled():
    text = RequestIds(header="traceparent", run=RUN).text(2_345_678_901)

    assert f"00-{RUN}{2_345_678_901:016x}-{RUN}-00" == text
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", text)


@pytest.mark.parametrize("header", HEADERS)
def test_ids_are_of_one_length_for_eleven_days_and_never_too_long(header):
    ids = RequestIds(header=header, run=RUN)
    last = 11 * 86_400 * 10**9

    assert len(ids.text(1)) == len(ids.text(last)) == len(unnumbered(header)[1])
    assert 64 >= len(ids.text(2**60))


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("body", [b"", b"%d 000000000000000"])
def test_a_request_is_written_around_its_number(header, body):
    ids = RequestIds(header=header, run=RUN)
    plain = build("POST", "/score", "host", [("A", "b"), unnumbered(header), ("C", "d")], body)
    found = numbered(plain, ids)
    number = ids.pattern[1].encode() % 7

    expected = build("POST", "/score", "host", [("A", "b"), (header, ids.text(7)), ("C", "d")], body)
    assert expected.wire == found.before + number + found.after
    assert len(plain.wire) == len(found.wire) == len(expected.wire)
