"""Sentences that several reporters use."""

from dataclasses import replace

import pytest

from epkit.core.report.report import FailureExample, Threshold
from epkit.reporters.run.words import percentile_notes, said, verdict
from support import reports


@pytest.mark.parametrize(
    ("kind", "status", "detail", "expected"),
    [
        ("status", 400, "bad", "400 bad"),
        ("status", 400, "400 bad", "400 bad"),
        ("status", 503, "", "503"),
        ("connect", 0, "refused", "refused"),
        ("mismatch", 200, "3 predictions for 2 rows", "3 predictions for 2 rows"),
    ],
)
def test_a_reply_is_said_with_its_status_once_and_only_where_that_is_what_failed(kind, status, detail, expected):
    example = FailureExample(kind=kind, count=1, status=status, detail=detail, advice="")

    assert expected == said(example)


@pytest.mark.parametrize(
    ("effective", "expected"),
    [
        (210, ["p99 needs 368 independent requests, this run has 1000, worth about 210"]),
        (700, ["p99 needs 368 independent requests, this run has 1000, too much alike"]),
    ],
)
def test_requests_that_are_alike_count_for_less(effective, expected):
    service = reports.distribution(1000, 1.0, 2.0, effective)
    service = replace(service, ci95={**service.ci95, "99": None})

    assert expected == percentile_notes(service, ())


def lines(report):
    return [remark.text for remark in verdict(report)]


def test_only_success_is_good_news():
    missed = Threshold(expression="p50<250ms", observed=129.55, passed=False)

    assert [False, True] == [remark.bad for remark in verdict(replace(reports.all_ok(), thresholds=(missed,)))]
    assert [True] == [remark.bad for remark in verdict(reports.refused())]


def test_a_missed_threshold_comes_after_success():
    mixed = reports.mixed().thresholds[1]
    report = replace(reports.all_ok(), thresholds=(replace(mixed, passed=False),))

    assert lines(report) == ["10 of 10 succeeded", "MISSED: p50<250ms (observed 129.55)"]


def test_the_implicit_threshold_is_told_by_the_failures_alone():
    assert lines(reports.refused()) == ["FAILED: 10 of 10 requests: 400 Authorization header is malformed"]


def test_failures_of_one_kind_without_an_example_are_told_by_their_kind():
    assert lines(replace(reports.refused(), failures=())) == ["FAILED: 10 of 10 requests: status"]


def test_a_run_cut_short_without_a_number_asked_for_says_how_many_were_made():
    report = reports.partial()
    report = replace(report, plan=replace(report.plan, requests=None))

    assert lines(report)[-1] == "PARTIAL: ended early, after 0.800 seconds and 7 requests"
