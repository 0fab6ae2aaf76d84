"""The counters of a run."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.report.counters import Counters
from epkit.core.samples.rows import Failure
from support.rows import rows

KINDS = st.lists(st.sampled_from(list(Failure)), min_size=1, max_size=50)


def counted(*blocks: np.ndarray) -> Counters:
    counters = Counters()
    for block in blocks:
        counters.add(block)
    return counters


@given(KINDS)
def test_every_request_is_counted_once_in_its_class(kinds):
    counts = counted(rows(len(kinds), failure=kinds)).counts(retried=3)

    assert len(kinds) == counts.sent == counts.ok + counts.failed
    assert counts.failed == sum(counts.failures.values())
    assert {k.name.lower(): kinds.count(k) for k in list(Failure)[1:]} == dict(counts.failures)
    assert sum(k in (0, 5, 6, 7, 8, 9) for k in kinds) == counts.completed
    assert counts.retried == 3


def test_all_nine_kinds_stand_in_every_count():
    kinds = "connect tls timeout transport status empty application contract mismatch"

    assert dict.fromkeys(kinds.split(), 0) == dict(Counters().counts().failures)


def test_statuses_are_those_that_were_read_in_ascending_order():
    counts = counted(rows(2, status=503), rows(4, status=[200, 0, 503, 200])).counts()

    assert [("200", 2), ("503", 3)] == list(counts.statuses.items())


def test_payloads_and_named_deployments_have_their_own_counts():
    counters = counted(rows(4, payload=[1, 0, 1, 1], deployment=[0, 2, 2, 7], failure=[5, 5, 0, 0]))

    assert {0: 1, 1: 3} == dict(counters.payloads)
    assert {2: (1, 1), 7: (1, 0)} == dict(counters.by_deployment())


def test_bytes_and_time_in_flight_are_summed_over_every_request():
    counters = counted(rows(2, received=2**32 - 1, body=2**32 - 2, failure=[0, 4]), rows(1, received=1))

    assert (2**33 - 1, 2**33 - 4) == (counters.received, counters.body)
    assert 30_000_000 == counters.in_flight_ns


def document(*blocks: np.ndarray) -> tuple[int, int]:
    counters = counted(*blocks)
    return counters.document_bytes, counters.length_differs


def test_the_document_is_the_first_reply_with_a_2xx_status():
    assert (40, 1) == document(rows(4, body=[7, 40, 40, 8], status=[500, 200, 200, 500], failure=[5, 0, 0, 5]))


def test_without_a_2xx_reply_the_document_is_the_first():
    assert (7, 2) == document(rows(1, body=7, status=500, failure=5), rows(3, body=[7, 8, 9], status=500, failure=5))


def test_a_later_2xx_reply_takes_the_place_of_an_earlier_error():
    assert (40, 1) == document(rows(2, body=[7, 8], status=500, failure=5), rows(2, body=[40, 41]), rows(1, body=40))


def test_a_reply_cut_off_is_no_document():
    assert (0, 0) == document(rows(2, body=[5, 6], failure=Failure.TRANSPORT))


def test_what_ab_counts_is_counted_of_the_rows():
    counters = counted(rows(6, status=[200, 0, 404, 0, 0, 0], failure=[0, 1, 5, 2, 4, 3], received=10, body=4))

    assert (60, 24, 1, 2, 1) == (
        counters.received, counters.body, counters.non_2xx, counters.connect_failed, counters.receive_failed,
    )  # fmt: skip


def test_rows_are_those_of_the_requests_that_succeeded_in_one_piece_and_merged():
    one = rows(4, payload=[0, 1, 1, 1], failure=[0, 0, Failure.STATUS, 0])
    other = rows(2, payload=[0, 1], failure=[Failure.TIMEOUT, 0])
    rows_of = np.array([2, 100])
    first, second = counted(one), counted(other)

    assert 2 + 200 == first.rows(rows_of)
    second.merge(Counters.restored(first.state()))
    assert 2 + 300 == second.rows(rows_of) == counted(one, other).rows(rows_of)


def test_a_state_with_more_failures_than_requests_of_a_payload_is_refused():
    state = replace(counted(rows(2)).state(), failed_payloads={0: 3})

    with pytest.raises(ValueError, match="more failures of a payload than requests with it"):
        Counters.restored(state)
