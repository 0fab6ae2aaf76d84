"""A scoring job as text."""

import numpy as np
import pytest

from epkit.core.replies.predictions import Failed
from epkit.core.score.scored import FailedRowExample, JobProgress, ScoreResult
from epkit.core.stats.histogram import Histogram
from epkit.reporters.score_text import complaint, duration, progress, summary, table

WHY = Failed(reason="status", status=500, detail="no such\x1b[31m column")


def result(**change):
    service = Histogram()
    service.add(np.array([1_000_000, 2_000_000, 30_000_000]))
    given = {
        "target": "bank (http://h/score)", "rows": 1200, "before": 0, "failed_rows": 0, "reasons": {}, "examples": (),
        "requests": 12, "retries": 0, "service": service, "seconds": 2.0, "complete": True,
    }  # fmt: skip
    return ScoreResult(**given | change)


def test_how_far_a_job_is_is_one_line():
    now = JobProgress(rows=1500, total=4500, fresh=1000, in_flight=8, retries=1, failed_rows=2, seconds=2.0)

    assert "1,500 of 4,500 rows, 500 rows/s, 8 in flight, 1 retry, 2 failed, 0:06 left" == progress(now)


def test_waits_that_the_endpoint_asked_for_are_shown_and_summed_up():
    now = JobProgress(rows=5, total=None, fresh=0, in_flight=0, retries=8, failed_rows=0, seconds=2.0, waiting_s=299.6)

    assert "5 rows, 0 rows/s, 0 in flight, 8 retries, asked to wait 5:00" == progress(now)
    assert "the endpoint asked to wait once (Retry-After), 300.0 s together" in summary(result(waits=1, waited_s=300.0))
    assert "the endpoint asked to wait 2 times (Retry-After), 1.5 s together" in summary(result(waits=2, waited_s=1.5))


def test_what_is_not_known_is_not_said():
    now = JobProgress(rows=0, total=None, fresh=0, in_flight=8, retries=0, failed_rows=0, seconds=0.0)

    assert "0 rows, 0 rows/s, 8 in flight" == progress(now)


@pytest.mark.parametrize(("seconds", "expected"), [(0, "0:00"), (65.4, "1:05"), (3723, "1:02:03"), (-1, "0:00")])
def test_a_length_of_time_is_written_as_on_a_clock(seconds, expected):
    assert expected == duration(seconds)


def test_a_table_has_a_line_a_row():
    assert "row  prediction\n  0  yes\n  1  –\n 10  [0.5,0.5]\n" == table([(0, "yes"), (1, None), (10, [0.5, 0.5])])


def test_a_prediction_that_would_act_on_a_terminal_does_not():
    assert "\x1b" not in table([(0, "\x1b[31mred")])


def test_a_job_that_went_well_is_three_lines():
    assert [
        "1,200 rows, 2.0 s",
        "12 requests, 600 rows/s",
        "a request took p50 2.0, p90 30.0, p99 30.0, at most 30.0 ms",
    ] == summary(result())


def test_a_job_that_did_not_says_why_and_how_often():
    said = summary(
        result(
            rows=1, before=1, failed_rows=3, requests=1, retries=1, seconds=0.0,
            examples=tuple(FailedRowExample(row=n, why=WHY, count=9 - n) for n in range(7)),
        )
    )  # fmt: skip

    assert "1 row, 3 failed, 0.0 s (the first 1 were done before)" == said[0]
    assert "1 request, 1 of them again" == said[1]
    assert "9 x status 500: no such column, first row 0" == said[3]
    assert "and 2 other reasons" == said[-1]


@pytest.mark.parametrize(
    ("change", "out", "expected"),
    [
        ({"stopped_by": 2}, "o.csv", "bank (http://h/score): interrupted after 1,200 rows: the same command goes on"),
        ({"stopped_by": 2}, None, "bank (http://h/score): interrupted after 1,200 rows"),
        ({"hopeless": "401: no"}, None, "bank (http://h/score): 401: no; 1,200 rows done"),
        (
            {"failed_rows": 2, "examples": (FailedRowExample(row=7, why=WHY, count=2),)},
            "o.csv",
            "bank (http://h/score): 2 of 1,200 rows failed: status 500: no such column, o.csv.failed.jsonl says why",
        ),
        ({"failed_rows": 2}, None, "bank (http://h/score): 2 of 1,200 rows failed"),
    ],
)
def test_what_went_wrong_is_one_line(change, out, expected):
    assert expected == complaint(result(**change), out)
