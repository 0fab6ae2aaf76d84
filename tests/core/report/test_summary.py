"""The report from blocks, with exact rows and with histograms."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epkit.core.load.plan import Phase
from epkit.core.report.assembly import LoadOutcome, assemble
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import FailureExample, Latencies
from epkit.core.report.summary import Summary
from epkit.core.samples.latency import PARTS, series
from epkit.core.samples.rows import Failure
from epkit.core.stats import percentiles
from epkit.core.stats.histogram import LIMIT_NS
from support.rows import ENGINE, MS, PLAN, SECOND, known, report, rows, texts, timed


def mixed(n: int, seed: int = 3) -> np.ndarray:
    """Make a run of one slot with every kind of outcome, two deployments and some new connections."""
    rng = np.random.default_rng(seed)
    block = timed((rng.lognormal(0, 0.5, n) * 10 * MS).astype(np.int64))
    fresh = rng.random(n) < 0.1
    block["tcp"] += np.where(fresh, 200_000, 0)
    block["connected"] += np.where(fresh, 500_000, 0)
    block["sent"] = block["connected"] + 10_000
    block["first"] = block["end"] - 100_000
    block["server"] = np.where(rng.random(n) < 0.5, (block["end"] - block["start"]) // 2, -1)
    block["failure"] = np.where(rng.random(n) < 0.1, rng.integers(1, 10, n), 0)
    block["deployment"] = rng.integers(0, 3, n)
    block["received"], block["body"], block["payload"] = 300, 100, np.arange(n) % 2
    return block


NAMES = ("", "blue", "green")


def test_every_latency_is_the_distribution_of_its_series():
    block = mixed(3000)
    result = report(block, pieces=7, deployments=NAMES)

    assert {name: percentiles.distribution(series(name, block)) for name in PARTS} == {
        field.name: getattr(result.latency_ms, field.name) for field in fields(Latencies)
    }


def test_what_was_never_measured_is_none():
    latencies = report(rows(5)).latency_ms

    assert [
        latencies.connect, latencies.tls, latencies.server, latencies.network, latencies.failed,
    ] == [None] * 5  # fmt: skip


@settings(max_examples=25)
@given(st.integers(1, 9), st.sampled_from([0, 1, 150, 400, 2_000_000]))
def test_the_pieces_in_which_samples_come_make_no_difference(pieces, exact):
    block = mixed(300)

    assert report(block, exact, deployments=NAMES) == report(block, exact, pieces, deployments=NAMES)


@pytest.mark.parametrize("exact", [0, 1, 100, 1500])
def test_beyond_the_limit_the_report_is_the_exact_one_to_a_thousandth(exact):
    block = mixed(3000)
    whole, blurred = report(block, deployments=NAMES), report(block, exact, pieces=5, deployments=NAMES)

    assert whole.counts == blurred.counts
    assert whole.http == blurred.http
    assert whole.throughput == blurred.throughput
    for name in PARTS:
        one, other = getattr(whole.latency_ms, name), getattr(blurred.latency_ms, name)
        assert (one.count, one.min, one.max) == (other.count, other.min, other.max)
        assert (one.mean, one.sd) == pytest.approx((other.mean, other.sd), rel=1e-9)
        assert one.median == pytest.approx(other.median, rel=1e-3)
        for key, value in one.percentiles.items():
            assert value <= other.percentiles[key] <= value * 1.001
    for name, deployment in whole.deployments.items():
        other = blurred.deployments[name]
        assert (deployment.ok, deployment.failed) == (other.ok, other.failed)
        assert deployment.service.percentiles["90"] == pytest.approx(other.service.percentiles["90"], rel=1e-3)
    for one, other in zip(whole.series, blurred.series, strict=True):
        assert (one.requests_per_s, one.failed) == (other.requests_per_s, other.failed)
        assert one.p50 == pytest.approx(other.p50, rel=1e-2)


def test_beyond_the_limit_intervals_rest_on_the_correlation_of_what_was_kept():
    block = timed((np.random.default_rng(1).lognormal(0, 0.5, 20_000) * 10 * MS).astype(np.int64))
    whole, blurred = report(block), report(block, exact=10_000)
    one, other = whole.latency_ms.service.ci95, blurred.latency_ms.service.ci95

    assert whole.latency_ms.service.effective == pytest.approx(blurred.latency_ms.service.effective, rel=0.1)
    for key in ("50", "90", "99", "mean"):
        assert one[key] == pytest.approx(other[key], rel=0.005)
        assert np.diff(one[key]) == pytest.approx(np.diff(other[key]), rel=0.5)
        assert other[key][0] < other[key][1]
    for key, value in blurred.latency_ms.service.percentiles.items():
        assert other[key] is None or other[key][0] < value <= other[key][1]
    assert other["100"] is None


def test_a_run_of_which_nothing_was_kept_has_no_interval():
    assert set(report(mixed(1000), exact=0, deployments=NAMES).latency_ms.service.ci95.values()) == {None}


def test_leaving_the_exact_mode_is_said_in_a_warning():
    (caveat,) = [each for each in report(rows(500), exact=400).warnings if each.kind is CaveatKind.HISTOGRAM]

    assert caveat.text == (
        "500 requests: percentiles are from a histogram (right to 0.1 %), and the correlation for their intervals "
        "comes from the first 400"
    )


def test_a_latency_beyond_the_histogram_is_said_in_a_warning():
    block = rows(3, end=[1, 2, LIMIT_NS + 10], start=0)

    clamped = Caveat(kind=CaveatKind.CLAMPED, text="latencies of more than 2.4 h count as 2.4 h: 1 requests")
    assert clamped in report(block, exact=1).warnings
    assert CaveatKind.CLAMPED not in {caveat.kind for caveat in report(block, exact=3).warnings}


def test_blocks_are_handed_out_as_they_came_while_all_are_kept():
    summary = Summary(exact=100)
    block = rows(60)
    summary.add(block)
    block["status"] = 0  # the sender reuses its buffer

    assert summary.complete
    assert np.array_equal(np.concatenate(list(summary.blocks())), rows(60))


def test_exactly_the_first_rows_are_kept():
    summary = Summary(exact=100)
    for block in np.array_split(rows(250), 4):
        summary.add(block)

    assert not summary.complete
    assert np.array_equal(np.concatenate(list(summary.blocks())), rows(250)[:100])


def test_an_empty_block_is_nothing():
    summary = Summary()
    summary.add(rows(0))

    assert summary.complete
    assert list(summary.blocks()) == []


def test_a_report_may_be_made_again_and_later():
    summary = Summary(exact=10)
    summary.add(rows(30))
    facts = known(rows(30))
    first = assemble(facts, summary)

    assert first == assemble(facts, summary)
    summary.add(rows(30))
    assert assemble(facts, summary).counts.sent == 60


def test_throughput_is_over_the_whole_duration():
    block = rows(10, received=300, failure=[0] * 8 + [Failure.STATUS, Failure.TIMEOUT])
    result = report(block, duration_ns=2 * SECOND, engine=replace(ENGINE, wire_bytes=[500]))

    assert (
        result.throughput.requests_per_s, result.throughput.ok_per_s,
        result.throughput.bytes_in_per_s, result.throughput.bytes_out_per_s,
    ) == (4.5, 4.0, 1500.0, 2500.0)  # fmt: skip
    assert result.run.duration_s == 2.0


def test_the_generators_share_is_of_requests_and_of_time():
    health = report(rows(10), cpu_s=0.5, duration_ns=2 * SECOND, max_in_flight=7).generator

    assert (health.cpu_us_per_request, health.cpu_utilisation) == (50_000.0, 0.25)
    assert (health.max_in_flight, health.late_starts, health.limited) == (7, 0, False)


@pytest.mark.parametrize(("model", "late"), [("open", 3), ("closed", 0)])
def test_late_starts_are_those_of_an_open_loop(model, late):
    block = rows(10)
    block["due"][:3] -= 2 * MS + 1
    block["due"][3:] -= 2 * MS

    assert late == report(block, plan=replace(PLAN, model=model)).generator.late_starts


def test_a_load_that_is_meant_to_change_is_not_blamed_for_it():
    times = np.concatenate([np.full(1000, 10 * MS), np.full(1000, 20 * MS)])
    steady, varied = (report(timed(times), outcome=LoadOutcome(varied=varied)).warnings for varied in (False, True))

    assert CaveatKind.UNSTEADY in {caveat.kind for caveat in steady}
    assert CaveatKind.UNSTEADY not in {caveat.kind for caveat in varied}


def test_a_reason_from_outside_makes_a_run_invalid():
    late = Caveat(kind=CaveatKind.LATE_STARTS, text="too late")
    validity = report(rows(10), outcome=LoadOutcome(reasons=[late])).validity

    assert (False, (late,)) == (validity.valid, validity.reasons)


def test_what_never_found_a_connection_was_not_written_and_a_closed_connection_was_not_kept():
    engine = replace(ENGINE, wire_bytes=[100, 200], unsent={1: 2}, closed=3)
    result = report(rows(10, payload=[0] * 5 + [1] * 5), engine=engine).http

    assert (5 * 100 + 3 * 200, 7) == (result.bytes_out, result.kept_alive)
    assert 0 == report(rows(10), engine=replace(engine, closed=None)).http.kept_alive


def test_a_phase_is_described_by_its_own_rows():
    block = rows(10, failure=[0] * 9 + [Failure.STATUS])
    block["due"] -= 5 * MS
    summary = Summary()
    summary.add(block)
    phase = Phase(name="stage 2", model="open", concurrency=4, rate=100.0, duration_ns=SECOND)
    info = summary.phase(phase, begin_ns=3 * SECOND, duration_ns=SECOND, most=2, measured=True)

    assert ("stage 2", "100/s", 3.0, 1.0, 10, 9, 1, 10.0, 10, 2) == (
        info.name, info.load, info.begin_s, info.duration_s, info.sent, info.ok, info.failed, info.requests_per_s,
        info.late_starts, info.max_in_flight,
    )  # fmt: skip
    assert info.service is not None
    assert info.response is not None
    assert (10.0, 15.0) == (info.service.median, info.response.median)


def test_a_run_without_a_request_has_a_report_and_is_not_valid():
    result = assemble(known(duration_ns=0), Summary())

    assert result.validity.reasons == (Caveat(kind=CaveatKind.NO_REQUEST, text="no request was made"),)
    assert result.throughput.requests_per_s == 0.0
    assert (result.generator.cpu_us_per_request, result.generator.cpu_utilisation) == (0.0, 0.0)
    assert result.latency_ms == Latencies()


def test_a_run_in_which_nothing_succeeded_is_not_valid():
    result = report(rows(10, failure=Failure.STATUS, status=401))

    nothing = Caveat(kind=CaveatKind.NO_SUCCESS, text="no request succeeded")
    assert (result.validity.valid, result.validity.reasons) == (False, (nothing,))
    assert result.latency_ms.failed.count == 10


def test_a_client_that_was_the_limit_makes_the_run_not_valid():
    result = report(rows(10), drifts_ns=np.full(100, 9 * MS))

    assert result.generator.limited
    assert not result.validity.valid
    assert [CaveatKind.CLIENT_LIMIT] == [reason.kind for reason in result.validity.reasons]


def test_slots_that_idled_make_a_closed_run_not_valid_but_not_an_open_one():
    block = rows(1000)
    wide = replace(PLAN, concurrency=2)

    assert texts(report(block, plan=wide).validity.reasons) == (
        "1 requests were in flight on average, not the 2 asked for (Little's law)",
    )
    assert report(block, plan=replace(wide, model="open")).validity.valid


def test_a_small_sample_is_a_warning_and_valid():
    result = report(rows(10))

    assert result.validity.valid
    assert texts(result.warnings) == ("p90 needs 36 requests, this run has 10",)


def test_lines_of_the_caller_come_last_and_examples_are_handed_on():
    example = FailureExample(kind="status", count=1, status=500, detail="…", advice="…")
    warnings = [Caveat(kind=CaveatKind.CAPPED, text="a"), Caveat(kind=CaveatKind.UNCHECKED, text="b")]
    result = report(rows(10), outcome=LoadOutcome(warnings=warnings), failures=(example,))

    assert texts(result.warnings) == ("p90 needs 36 requests, this run has 10", "a", "b")
    assert (example,) == result.failures


def test_a_change_of_level_is_a_warning():
    slow = timed(np.repeat([10 * MS, 20 * MS], [2000, 1000]))

    (caveat,) = [caveat for caveat in report(slow).warnings if caveat.kind is CaveatKind.UNSTEADY]
    assert caveat.text.startswith("no steady state: median latency 10 ms")


def test_deployments_go_by_their_names_and_the_unnamed_is_left_out():
    block = rows(5, deployment=[0, 1, 1, 2, 2], failure=[0, 0, 5, 5, 5])
    result = report(block, deployments=NAMES).deployments

    assert {name: (d.ok, d.failed) for name, d in result.items()} == {"blue": (1, 1), "green": (0, 2)}
    assert result["blue"].service == percentiles.distribution(np.array([10 * MS]))
    assert result["green"].service is None


def test_numbers_are_plain_python():
    result = report(mixed(3000), exact=1000, deployments=NAMES)
    service = result.latency_ms.service
    numbers = [service.count, service.mean, service.sd, service.median, service.effective, result.counts.ok]
    numbers += [*service.percentiles.values(), *filter(None, service.ci95["50"]), result.series[0].p50]

    assert {int, float} == {type(number) for number in numbers}


@pytest.mark.parametrize("exact", [1000, 0])
def test_rows_per_second_are_of_the_time_of_sending_and_of_successes(exact):
    summary = Summary(exact, rows_of=[10, 100])
    block = rows(100, payload=np.arange(100) % 2)
    block["failure"][:2] = Failure.STATUS
    summary.add(block)
    pace = summary.pace(None, 1_000_000_000)

    assert 49 * 10 + 49 * 100 == pace.rows == pace.rows_per_s
    half = summary.pace(500_000_000, 1_000_000_000)
    assert pytest.approx(24 * 10 + 24 * 100, rel=0.05) == half.rows


def test_rows_per_second_are_not_told_where_a_payload_does_not_tell_its_rows():
    for rows_of in ((), (None,), (10, None)):
        summary = Summary(rows_of=rows_of)
        summary.add(rows(5))

        assert None is summary.pace(None, 1_000_000_000).rows_per_s
