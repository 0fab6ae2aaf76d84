"""Comparisons: they seldom find a difference between equal arms, find real ones, and judge nothing with one run."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from epkit.core.report import compare as c
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.gates import parse
from epkit.core.report.report import PayloadInfo
from support.rows import MS, report, rows, timed


@cache
def run(scale=1.0, seed=0, n=400, failed=0):
    times = np.random.default_rng(seed).lognormal(0, 0.3, n) * 10 * MS * scale
    block = timed(times.astype(np.int64))
    block["failure"][:failed] = 5
    return report(block)


def arm(name, scales, **more):
    return c.Arm(name=name, reports=tuple(run(scale, seed=i, **more) for i, scale in enumerate(scales)))


STEADY = (1.0, 1.01, 0.99, 1.005, 0.995)
BASE = arm("base", STEADY)


def verdicts(comparison):
    return {metric.name: metric.verdict for metric in comparison.metrics}


def test_a_slower_arm_is_slower_in_everything_but_its_failures():
    found = verdicts(c.compare(BASE, arm("new", [1.2 * scale for scale in STEADY])))

    assert c.SAME == found.pop("failed")
    assert {c.SLOWER} == set(found.values())


def test_a_faster_arm_is_faster():
    found = verdicts(c.compare(arm("base", [1.2 * scale for scale in STEADY]), BASE))

    assert c.SAME == found.pop("failed")
    assert {c.FASTER} == set(found.values())


def test_a_change_below_the_threshold_is_no_difference_however_sure_it_is():
    base = c.Arm(name="base", reports=tuple(run(scale) for scale in (1.0, 1.0001, 0.9999)))
    new = c.Arm(name="new", reports=tuple(run(1.01 * scale) for scale in (1.0, 1.0001, 0.9999)))
    (mean, *_) = c.compare(base, new).metrics

    assert ("mean", c.SAME) == (mean.name, mean.verdict)
    assert mean.ci95[0] > 1
    assert c.SLOWER == c.compare(base, new, threshold=0.005).metrics[0].verdict


def test_noise_alone_is_no_difference():
    noisy = (1.0, 1.4, 0.8, 1.2, 0.9)

    assert {c.SAME} == set(verdicts(c.compare(arm("base", noisy), arm("new", noisy[::-1]))).values())


def test_the_ratio_is_that_of_geometric_means_and_lies_within_its_interval():
    (mean, *_) = c.compare(BASE, arm("new", [1.2 * scale for scale in STEADY])).metrics

    assert 1.2 == pytest.approx(mean.ratio, rel=1e-3)
    assert mean.ratio == pytest.approx(mean.new / mean.base)
    assert mean.ci95[0] < mean.ratio < mean.ci95[1]


def test_one_run_an_arm_gives_differences_and_no_verdict():
    found = c.compare(arm("base", [1.0]), arm("new", [2.0]))

    assert {c.UNKNOWN} == set(verdicts(found).values())
    assert all(metric.ci95 is None and metric.p is None for metric in found.metrics)
    assert 2.0 == pytest.approx(found.metrics[0].ratio, rel=1e-3)
    assert "no run-to-run information" in found.warnings[0]


def test_more_failures_are_told_in_percentage_points():
    failed = c.compare(BASE, arm("new", STEADY, failed=40)).metrics[-1]

    assert ("failed", 0.0, 0.1, None, c.SLOWER) == (failed.name, failed.base, failed.new, failed.ratio, failed.verdict)
    assert 0.1 == failed.change


def test_a_gate_fails_past_its_limit_and_only_where_chance_is_no_excuse():
    slower = arm("new", [1.2 * scale for scale in STEADY])
    noisy = arm("new", (1.0, 2.0, 0.8, 1.9, 0.9))

    assert not c.compare(BASE, slower, gates=[parse("p99>+5%")]).passed
    assert c.compare(BASE, slower, gates=[parse("p99>+30%")]).passed
    assert c.compare(BASE, noisy, gates=[parse("p99>+5%")]).passed
    assert c.compare(slower, BASE, gates=[parse("p99>+5%")]).passed


def test_a_gate_on_what_no_run_has_is_missing():
    nothing = c.Arm(name="new", reports=(report(rows(3, failure=5)),) * 3)
    found = c.compare(BASE, nothing, gates=[parse("p99>+5%"), parse("failed>+1%")])

    assert ["p99"] == c.missing(found)


def test_the_far_tail_is_compared_only_where_there_is_one():
    assert "p99.9" not in verdicts(c.compare(BASE, BASE))
    assert "p99.9" in verdicts(c.compare(arm("a", STEADY, n=1000), arm("b", STEADY, n=1000)))
    assert "p99.9" in verdicts(c.compare(BASE, BASE, gates=[parse("p99.9>+5%")]))


def test_runs_that_differ_in_more_than_the_target_are_named():
    other = run()
    plan = replace(other, plan=replace(other.plan, concurrency=9))
    payload = PayloadInfo(name="x", sha256="ab" * 32, bytes=1)
    sent = replace(other, run=replace(other.run, payloads=(payload,), target="http://elsewhere"))

    assert [] == c.mismatches(BASE, c.Arm(name="new", reports=(replace(other, run=replace(other.run, target="x")),)))
    assert ["concurrency: 1 and 9"] == c.mismatches(BASE, c.Arm(name="new", reports=(plan, plan)))
    engine = replace(other, tool=replace(other.tool, engine="wire+c"))
    assert ["engine: wire and wire+c"] == c.mismatches(BASE, c.Arm(name="new", reports=(engine,)))
    assert ["payloads: [] and ['abababababab']"] == c.mismatches(BASE, c.Arm(name="new", reports=(sent,)))


def test_targets_that_differ_within_an_arm_and_doubtful_runs_are_warned_of():
    one, other = run(), run(seed=1)
    other = replace(
        other,
        run=replace(other.run, target="http://elsewhere", partial=True),
        validity=replace(
            other.validity,
            valid=False,
            reasons=(Caveat(kind=CaveatKind.CLIENT_LIMIT, text="the client was the limit"),),
        ),
    )
    said = " ".join(c.compare(BASE, c.Arm(name="new", reports=(one, other))).warnings)

    for words in (
        "different targets: http://h/score, http://elsewhere",
        "the client was the limit",
        "not every run is complete",
        "2 runs",
    ):
        assert words in said


def test_the_document_has_the_keys_of_the_manual():
    document = c.to_document(c.compare(BASE, arm("new", STEADY[:3]), gates=[parse("p99>+5%")]))

    assert ["format", "base", "new", "threshold", "metrics", "passed"] == list(document)
    assert ("epkit.comparison/1", 0.03, True) == (document["format"], document["threshold"], document["passed"])
    assert ["name", "base", "new", "ratio", "ci95", "verdict"] == list(document["metrics"][0])
    assert ["mean", "p50", "p90", "p95", "p99", "throughput", "failed"] == [m["name"] for m in document["metrics"]]


def of_rows(arm, rows):
    """Set the number of rows of each request of an arm."""
    reports = (
        replace(one, throughput=replace(one.throughput, rows_per_s=rows * one.throughput.ok_per_s))
        for one in arm.reports
    )
    return replace(arm, reports=tuple(reports))


def test_rows_per_second_are_compared_where_requests_hold_other_numbers_of_them():
    found = {metric.name: metric for metric in c.compare(of_rows(BASE, 10), of_rows(BASE, 100)).metrics}

    assert (c.FASTER, pytest.approx(10)) == (found["rows"].verdict, found["rows"].ratio)
    assert c.SAME == found["throughput"].verdict
    assert "rows" not in verdicts(c.compare(of_rows(BASE, 10), of_rows(BASE, 10)))
    assert "rows" not in verdicts(c.compare(BASE, of_rows(BASE, 10)))
    assert "rows" in verdicts(c.compare(of_rows(BASE, 10), of_rows(BASE, 10), gates=[parse("rows<-5%")]))
