"""Objectives: their syntax, the place of an error in it, and their verdicts on a report."""

import math
from dataclasses import replace

import numpy as np
import pytest

from epkit.core.report.assembly import assemble
from epkit.core.report.slo import FAILED_NONE, evaluate, implied, parse, parse_all
from epkit.core.report.summary import Summary
from epkit.errors import UsageError
from support.rows import MS, known, report, rows, timed


def judge(slos, made):
    return evaluate(slos, counts=made.counts, throughput=made.throughput, latency_ms=made.latency_ms)


def made(failed=0):
    block = timed(np.arange(1, 101) * MS)
    block["failure"][:failed] = 5
    return report(block)


@pytest.mark.parametrize(
    ("text", "part", "metric", "op", "limit", "share"),
    [
        ("p99<250ms", "response", "p99", "<", 250, False),
        (" p99.9 <= 1.5 s ", "response", "p99.9", "<=", 1500, False),
        ("server.mean<100us", "server", "mean", "<", 0.1, False),
        ("min>=.5ms", "response", "min", ">=", 0.5, False),
        ("failed<0.1%", "", "failed", "<", 0.1, True),
        ("failed=0", "", "failed", "==", 0, False),
        ("ok>10", "", "ok", ">", 10, False),
        ("ok_per_s>50", "", "ok_per_s", ">", 50, False),
        ("requests_per_s>50/s", "", "requests_per_s", ">", 50, False),
    ],
)
def test_an_objective_is_read(text, part, metric, op, limit, share):
    slo = parse(text)

    assert (part, metric, op, share) == (slo.part, slo.metric, slo.op, slo.share)
    assert limit == pytest.approx(slo.limit)
    assert "".join(text.split()) == slo.expression


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("", 1, "no metric"),
        ("<3ms", 1, "no metric"),
        ("  p97<3ms", 3, "p97 is not reported"),
        ("speed<3ms", 1, "speed is no metric"),
        ("model.p99<3ms", 1, "model is no part of a request"),
        ("server.failed<3", 1, "no part can precede it"),
        ("p99", 4, "wants one of <"),
        ("p99!3ms", 4, "wants one of <"),
        ("p99<", 5, "no number"),
        ("p99<-3ms", 5, "no number"),
        ("p99<3", 6, "wants us, ms or s"),
        ("p99<3min", 6, "not min"),
        ("failed<3ms", 9, "a number or %"),
        ("ok_per_s>3%", 11, "a bare number"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_the_grammar(text, place, why):
    with pytest.raises(UsageError) as caught:
        parse(text)

    assert f"--slo {text!r}: column {place}: " in str(caught.value)
    assert why in str(caught.value)
    assert "write METRIC OP VALUE" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "observed", "passed"),
    [
        ("p99<99ms", 99.0, False),
        ("p99<=99ms", 99.0, True),
        ("median<51ms", 50.5, True),
        ("service.max<1s", 100.0, True),
        ("failed<3%", 0.0, True),
        ("sent==100", 100.0, True),
        ("server.p99<1s", math.inf, False),
        ("server.p99>1s", math.inf, False),
    ],
)
def test_a_report_is_held_against_an_objective(text, observed, passed):
    (threshold, *_) = judge([parse(text)], made())

    assert (text, observed, passed) == (threshold.expression, threshold.observed, threshold.passed)


def test_nothing_may_fail_unless_an_objective_says_how_much():
    assert [("failed==0", 2.0, False)] == [(t.expression, t.observed, t.passed) for t in judge((), made(failed=2))]
    allowed = judge([parse("failed<=2%")], made(failed=2))
    assert [("failed<=2%", 2.0, True)] == [(t.expression, t.observed, t.passed) for t in allowed]
    assert FAILED_NONE == implied([parse("p99<1s")])[-1]


def test_a_run_without_a_request_meets_no_objective_but_fails_nothing():
    empty = assemble(known(), Summary())

    assert [False, True] == [threshold.passed for threshold in judge([parse("ok>=0")], empty)]


def test_throughput_is_taken_as_reported():
    block = rows(10)
    seen = replace(report(block).throughput, ok_per_s=7.0)

    assert 7.0 == judge([parse("ok_per_s>5")], replace(report(block), throughput=seen))[0].observed


@pytest.mark.parametrize(("rows_per_s", "passed"), [(150.0, True), (50.0, False), (None, False)])
def test_rows_per_second_are_an_objective(rows_per_s, passed):
    run = made()
    rate = replace(run.throughput, rows_per_s=rows_per_s)
    (threshold, _) = evaluate(
        parse_all(["rows_per_s>100"]), counts=run.counts, throughput=rate, latency_ms=run.latency_ms
    )

    assert (passed, rows_per_s or 0.0) == (threshold.passed, threshold.observed)
