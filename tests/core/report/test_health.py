"""The conditions that make a run invalid, and those that do not."""

import numpy as np
import pytest

from epkit.core.report import health
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import Window
from epkit.core.stats import percentiles
from epkit.core.stats.distribution import Distribution
from support.rows import MS, SECOND, texts


def service(n: int, seed: int = 1) -> Distribution:
    return percentiles.distribution((np.random.default_rng(seed).lognormal(0, 0.5, n) * 10 * MS).astype(np.int64))


def level(value_ms: float) -> Distribution:
    return percentiles.distribution(np.full(1000, int(value_ms * MS)))


def timeline(p50: np.ndarray, rate: np.ndarray | None = None) -> list[Window]:
    rates = np.full(len(p50), 100.0) if rate is None else rate
    return [
        Window(t_s=float(i), requests_per_s=float(r), p50=None if np.isnan(p) else float(p), p99=None, failed=0)
        for i, (p, r) in enumerate(zip(p50, rates, strict=True))
    ]


@pytest.mark.parametrize(
    ("n", "line"),
    [
        (10, "p90 needs 36 requests, this run has 10"),
        (50, "p95 needs 72 requests, this run has 50"),
        (200, "p99 needs 368 requests, this run has 200"),
        (5000, None),
    ],
)
def test_the_first_percentile_without_support_is_named(n, line):
    assert (line,) == texts([health.unsupported(service(n))])


def test_a_sample_that_is_large_but_correlated_is_told_so():
    slow_wave = (np.sin(np.arange(500) / 80) * 5 * MS + 10 * MS).astype(np.int64)

    assert health.unsupported(percentiles.distribution(slow_wave)) == Caveat(
        kind=CaveatKind.SMALL_SAMPLE,
        text="p90 needs 36 independent requests: the 500 of this run depend on each other and count as fewer",
    )


def test_without_a_success_there_is_no_percentile_to_warn_about():
    assert health.unsupported(None) is None


def test_a_step_is_found_where_it_is():
    at, chance = health.change_point(np.array([1.0, 2, 1, 2, 1, 2, 1, 2, 1, 2, 8, 9, 8, 9, 8, 9, 8, 9, 8, 9]))

    # U reaches n²/2 / 2 × 2 = 100, computed by hand: 2 × Σ of the ten low ranks − 10 × 21.
    assert at == 10
    assert 2 * np.exp(-6 * 100**2 / (20**3 + 20**2)) == pytest.approx(chance)


def test_a_constant_series_has_no_change():
    assert health.change_point(np.ones(50))[1] == 1.0


def test_a_step_in_latency_is_no_steady_state():
    steps = np.repeat([12.0, 25.0], 15) + np.arange(30) % 3 / 10

    assert Caveat(
        kind=CaveatKind.UNSTEADY,
        text="no steady state: median latency 12.1 ms in the first 15 s, 25.1 ms afterwards",
    ) == health.unsteady(timeline(steps))


def test_a_step_in_throughput_is_no_steady_state():
    rates = np.repeat([50.0, 90.0], 15)

    assert ("no steady state: throughput 50/s in the first 15 s, 90/s afterwards",) == texts(
        [health.unsteady(timeline(np.full(30, 5.0), rates))]
    )


def test_a_latency_that_climbs_to_the_end_is_no_steady_state():
    assert "no steady state: median latency" in health.unsteady(timeline(np.linspace(10, 200, 40))).text


def test_a_small_step_does_not_matter_however_sure_it_is():
    assert health.unsteady(timeline(np.repeat([10.0, 10.5], 50))) is None


def test_a_short_run_is_not_judged():
    assert health.unsteady(timeline(np.repeat([10.0, 90.0], [10, 9]))) is None


def test_windows_without_a_success_are_not_points_of_latency():
    sparse = np.where(np.arange(60) % 4, np.nan, np.arange(60.0))

    assert health.unsteady(timeline(sparse)) is None


@pytest.mark.parametrize(("rho", "per_window"), [(0.0, 10), (0.0, 100), (0.5, 50), (0.9, 200)])
def test_a_stationary_run_is_called_unsteady_less_than_once_in_twenty(rho, per_window):
    rng = np.random.default_rng(11)
    trials, windows = 200, 30
    noise = rng.standard_normal((trials, windows * per_window))
    kernel = np.sqrt(1 - rho * rho) * rho ** np.arange(100) if rho else np.ones(1)
    alarms = 0
    for row in noise:
        times = np.exp(0.5 * np.convolve(row, kernel)[: len(row)]) * 10
        medians = np.median(times.reshape(windows, per_window), axis=1)
        rates = rng.poisson(per_window, windows).astype(float)
        alarms += health.unsteady(timeline(medians, rates)) is not None

    assert alarms <= 0.05 * trials


def test_a_full_closed_loop_obeys_littles_law():
    assert health.crowd(4, 1000, in_flight_ns=4 * 10 * SECOND, duration_ns=10 * SECOND) is None


@pytest.mark.parametrize(("share", "said"), [(0.96, False), (0.94, True), (1.04, False), (1.06, True)])
def test_littles_law_may_be_missed_by_a_twentieth(share, said):
    found = health.crowd(8, 1000, in_flight_ns=int(share * 8 * 10 * SECOND), duration_ns=10 * SECOND)

    assert said == (found is not None)


def test_the_line_on_littles_law_has_both_numbers():
    assert Caveat(
        kind=CaveatKind.CONCURRENCY,
        text="6.4 requests were in flight on average, not the 8 asked for (Little's law)",
    ) == health.crowd(8, 1000, in_flight_ns=64 * SECOND, duration_ns=10 * SECOND)


def test_pythons_microseconds_between_requests_are_no_broken_loop():
    # One slot, 100 µs of service and 40 µs until the next request is sent.
    assert health.crowd(1, 10_000, in_flight_ns=10_000 * 100_000, duration_ns=10_000 * 140_000) is None
    assert health.crowd(1, 10_000, in_flight_ns=10_000 * 100_000, duration_ns=10_000 * 160_000) is not None


@pytest.mark.parametrize(("requests", "duration_ns"), [(799, SECOND), (800, 0)])
def test_a_short_closed_loop_is_not_held_to_littles_law(requests, duration_ns):
    assert health.crowd(8, requests, in_flight_ns=SECOND, duration_ns=duration_ns) is None


def test_lag_is_the_drifts_nearest_ranks():
    drifts = np.random.default_rng(2).permutation(1000) * 1000 + 1000

    assert {"p50": 0.5, "p99": 0.99, "max": 1.0} == health.lag(drifts)


def test_no_heartbeat_is_no_lag():
    assert {"p50": 0.0, "p99": 0.0, "max": 0.0} == health.lag(np.array([], dtype=np.int64))


@pytest.mark.parametrize(
    ("p50", "p99", "beats", "latency_ms", "said"),
    [
        (0.4, 1.0, 1000, 100, None),  # the limit is an endpoint of 100 ms
        (8.0, 12.0, 1000, 130, "p50"),  # the limit is the client
        (3.0, 5.0, 1000, 20, "p50"),
        (3.0, 5.0, 1000, 200, None),
        (1.9, 5.0, 1000, 0.6, None),  # a busy client that is punctual, with a server that costs nothing
        (1.0, 15.0, 1000, 20, "p99"),
        (1.0, 15.0, 1000, 500, None),
        (1.0, 15.0, 99, 20, None),  # one hiccup in a second
        (9.0, 9.0, 9, 20, None),
    ],
)
def test_the_client_is_the_limit_when_its_lag_is_large_and_weighs(p50, p99, beats, latency_ms, said):
    found = health.limited({"p50": p50, "p99": p99, "max": p99}, beats, level(latency_ms))

    assert said == (found and found.text.split("(")[1].split(")")[0])


def test_the_line_on_a_limited_client_says_how_late_it_was():
    assert Caveat(
        kind=CaveatKind.CLIENT_LIMIT,
        text="the client was the limit: its event loop ran 8.0 ms late (p50), p50 latency is 130.0 ms",
    ) == health.limited({"p50": 8.0, "p99": 9.0, "max": 9.0}, 500, level(130))


def test_without_a_latency_nothing_is_said_of_the_client():
    assert health.limited({"p50": 80.0, "p99": 90.0, "max": 90.0}, 500, None) is None


# The load as planned.


@pytest.mark.parametrize(
    ("planned_s", "last_s", "line"),
    [
        (10.0, 9.99, None),
        (10.0, 10.2, None),
        (10.0, 20.5, "48.78 of 100 planned requests/s were achieved"),
        (10.0, 0.0, None),
    ],
)
def test_a_rate_is_held_against_what_was_planned(planned_s, last_s, line):
    assert (line,) == texts([health.behind(round(planned_s * SECOND), round(last_s * SECOND), 1000)])


@pytest.mark.parametrize(
    ("late", "full", "line"),
    [
        (5, None, None),
        (6, None, "6 of 500 requests started late"),
        (211, 64, "211 of 500 requests started late: all 64 allowed by -c were in flight"),
    ],
)
def test_late_starts_are_told_beyond_one_in_a_hundred(late, full, line):
    assert (line,) == texts([health.late(late, 500, full=full)])


def test_a_small_run_may_have_a_hiccup():
    assert (None, None, "3 of 20 requests started late") == texts(health.late(n, 20, full=None) for n in (1, 2, 3))


def arrivals(rate: float, seconds: float, serve) -> tuple[np.ndarray, np.ndarray]:
    due = (np.arange(int(rate * seconds)) / rate * SECOND).astype(np.int64)
    return due, due + np.array([serve(i) for i in range(len(due))], dtype=np.int64)


def test_an_endpoint_that_is_asked_for_more_than_it_serves_is_found_out():
    # 100/s are due at an endpoint that serves 80/s: request i waits 2.5 ms times i.
    due, end = arrivals(100, 10, lambda i: 12 * MS + i * 2.5 * MS)

    found = health.growing(due, end, 10 * SECOND)
    assert CaveatKind.SATURATED is found.kind
    assert "requests arrive faster than they are served: 2" in found.text


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("load", [0.3, 0.6])
def test_a_queue_that_keeps_up_is_left_alone(seed, load):
    # M/M/1 at a moderate load, starting empty: Lindley's recursion.
    dice = np.random.default_rng(seed)
    gaps, work = dice.exponential(1 / (100 * load), 2000), dice.exponential(1 / 100, 2000)
    due, end = np.cumsum(gaps), np.zeros(2000)
    free = 0.0
    for i in range(2000):
        free = end[i] = max(free, due[i]) + work[i]
    found = health.growing((due * SECOND).astype(np.int64), (end * SECOND).astype(np.int64), int(due[-1] * SECOND))

    assert found is None


def test_a_steady_delay_is_no_growth_and_a_small_sample_says_nothing():
    assert None is health.growing(*arrivals(100, 10, lambda _: 200 * MS), 10 * SECOND)
    assert None is health.growing(*arrivals(100, 0.2, lambda i: i * 50 * MS), SECOND // 5)
    assert None is health.growing(np.zeros(100, dtype=np.int64), np.zeros(100, dtype=np.int64), 0)
