"""The parsers of the clients' reports, with real reports of the clients."""

import json
from pathlib import Path

import pytest

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def epkit_report(**changes: object) -> str:
    report = {
        "counts": {"sent": 100, "ok": 100, "failed": 0},
        "throughput": {"requests_per_s": 5000.5},
        "latency_ms": {"service": {"percentiles": {"50": 1.25, "99": 7.5}}},
    }
    return json.dumps(report | changes)


def test_ab_gives_its_percentiles_to_the_microsecond(outputs):
    said = outputs.from_ab(recorded("ab.txt"), recorded("ab.csv"))

    assert outputs.Measured(requests=500, requests_per_s=4630.57, p50_ms=0.109, p99_ms=8.272) == said


def test_ab_with_refused_requests_is_no_measurement(outputs):
    with pytest.raises(outputs.OutputError, match="20 of 20 requests failed"):
        outputs.from_ab(recorded("ab-404.txt"), "")


def test_ab_that_did_not_keep_its_connections_is_no_measurement(outputs):
    with pytest.raises(outputs.OutputError, match="Keep-Alive"):
        outputs.from_ab(recorded("ab-closing.txt"), "")
    with pytest.raises(outputs.OutputError, match="only 499 of 500"):
        outputs.from_ab(recorded("ab.txt").replace("Keep-Alive requests:    500", "Keep-Alive requests:    499"), "")


def test_wrk_tells_what_its_script_adds(outputs):
    said = outputs.from_wrk(recorded("wrk.txt"))

    assert (
        outputs.Measured(requests=20891, requests_per_s=pytest.approx(18883.22, abs=0.01), p50_ms=0.1, p99_ms=5.1)
        == said
    )


def test_wrk_with_refused_requests_is_no_measurement(outputs):
    with pytest.raises(outputs.OutputError, match=r"wrk: failures: \{'status': \d+\}"):
        outputs.from_wrk(recorded("wrk-404.txt"))


def test_hey_counts_what_was_answered_and_gives_milliseconds(outputs):
    said = outputs.from_hey(recorded("hey.txt"))

    assert (
        outputs.Measured(requests=500, requests_per_s=4234.3663, p50_ms=pytest.approx(0.3), p99_ms=pytest.approx(6.3))
        == said
    )


def test_hey_leaves_out_a_percentile_that_few_requests_do_not_support(outputs):
    said = outputs.from_hey(recorded("hey-few.txt"))

    assert (4, pytest.approx(4.0), None) == (said.requests, said.p50_ms, said.p99_ms)


@pytest.mark.parametrize("name", ["hey-404.txt", "hey-refused.txt"])
def test_hey_with_failures_is_no_measurement(outputs, name):
    with pytest.raises(outputs.OutputError, match="requests failed"):
        outputs.from_hey(recorded(name))


def test_epkit_is_read_by_its_published_report(outputs):
    said = outputs.from_epkit(epkit_report())

    assert outputs.Measured(requests=100, requests_per_s=5000.5, p50_ms=1.25, p99_ms=7.5) == said


@pytest.mark.parametrize(
    "counts", [{"sent": 100, "ok": 99, "failed": 1}, {"sent": 100, "ok": 99, "failed": 0}], ids=["failed", "lost"]
)
def test_epkit_with_failures_is_no_measurement(outputs, counts):
    with pytest.raises(outputs.OutputError, match="of 100 requests"):
        outputs.from_epkit(epkit_report(counts=counts))


@pytest.mark.parametrize("text", ["", "[]", "{}", "not JSON"])
def test_what_is_not_a_report_of_epkit_is_said_to_be_none(outputs, text):
    with pytest.raises(outputs.OutputError, match="not a report"):
        outputs.from_epkit(text)


def test_imports_are_named_by_their_top_level_package(outputs):
    names = outputs.imported(recorded("importtime.txt"))

    assert {"json", "_json", "re"} <= names
    assert not {name for name in names if "." in name}
    assert "imported" not in names
