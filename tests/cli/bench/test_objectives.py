"""`--abort-on-slo` and `--failures-as-infinite` from the command line."""

import pytest

from support.cli_harness import complaint


@pytest.fixture
def bench(cli, rows, fault_server):
    def run(*arguments, name="ok"):
        return cli("bench", "-p", rows, "--no-validate", "--format", "json", *arguments, fault_server.url(name))

    return run


def test_a_lost_objective_ends_the_run(bench):
    ran = bench("-n", 100_000, "--slo", "p90<1ms", "--abort-on-slo", "-t", 15, name="delay?ms=20")

    assert "missed p90<1ms" in complaint(ran, 5)
    assert ran.report["run"]["partial"]
    assert ran.report["run"]["duration_s"] < 10
    assert "ended early: p90<1ms could no longer be met" in ran.report["warnings"]


def test_an_objective_that_is_met_ends_nothing(bench):
    ran = bench("-n", 300, "--slo", "p90<10s", "--abort-on-slo", name="delay?ms=2")

    assert (0, 300, False) == (ran.code, ran.report["counts"]["sent"], ran.report["run"]["partial"])


def test_failures_count_as_infinite_where_that_is_asked_for(cli, bench):
    ran = bench(
        "-n", 9, "--failures-as-infinite", "--slo", "p90<10s", "--slo", "failed<50%", "--save", "x.epkit", name="flaky"
    )
    latency = ran.report["latency_ms"]

    assert "missed p90<10s: observed inf" in complaint(ran, 5)
    assert (9, 6) == (latency["response"]["count"], latency["service"]["count"])
    assert (None, None) == (latency["response"]["percentiles"]["90"], latency["response"]["mean"])
    assert latency["response"]["percentiles"]["50"] >= latency["service"]["percentiles"]["50"]
    assert ran.out == cli("report", "x.epkit", "--format", "json").out
    assert "failures counted as infinite" in " ".join(cli("report", "x.epkit").out.split())
    assert 0 == cli("report", "x.epkit", "--html", "x.html", "--format", "markdown").code


def test_without_a_failure_nothing_is_infinite(bench):
    latency = bench("-n", 9, "--failures-as-infinite").report["latency_ms"]

    assert latency["response"] == latency["service"]


def test_a_run_in_which_all_fail_is_infinite_throughout(bench):
    latency = bench("-n", 9, "--failures-as-infinite", name="404").report["latency_ms"]

    assert (None, 9, None) == (latency["service"], latency["response"]["count"], latency["response"]["min"])
