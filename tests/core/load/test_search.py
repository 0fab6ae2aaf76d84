"""The search for a rate, on simulated endpoints: it ends in time, and finds the right rate."""

import itertools
import math

import numpy as np
import pytest

from epkit.core.load.search import BETWEEN, RateSearch, Seen

MS = 1_000_000


class Endpoint:
    """A queue with one server of exponential service times (M/M/1), whose percentiles are known.

    Source: the response time is exponential with rate μ − λ: Kleinrock, Queueing Systems (1975), § 3.2.
    """

    def __init__(self, per_s: float, seed: int = 0, noise: float = 0.0) -> None:
        self.per_s, self.noise = per_s, noise
        self.dice = np.random.default_rng(seed)
        self.spent_s = 0.0
        self.probes = 0

    def percentile_ns(self, rate: float, p: float = 0.99) -> float:
        return math.inf if rate >= self.per_s else -math.log(1 - p) / (self.per_s - rate) * 1e9

    def highest(self, limit_ns: float, p: float = 0.99) -> float:
        return self.per_s + math.log(1 - p) / (limit_ns / 1e9)

    def probe(self, rate: float | None, seconds: float) -> Seen:
        self.probes += 1
        self.spent_s += seconds * 1.02
        true = self.percentile_ns(rate or 0.0)
        seen = true * math.exp(self.noise * self.dice.standard_normal())
        return Seen(
            observed_ns=seen,
            upper_ns=None if math.isinf(seen) else seen * (1 + 2 * self.noise),
            mean_ns=1e9 / self.per_s,
            spoilt="saturated" if math.isinf(true) else None,
            seconds=seconds * 1.02,
        )


def search(endpoint: Endpoint, limit_ns: int, budget_s: float = 120) -> RateSearch:
    found = RateSearch(limit_ns, budget_s)
    while (probe := found.next()) is not None:
        assert endpoint.probes < 200, "it does not end"
        assert probe.seconds > 0
        found.tell(endpoint.probe(probe.rate, probe.seconds))
    return found


@pytest.mark.parametrize("per_s", [5, 50, 400, 5000])
@pytest.mark.parametrize("factor", [6, 20, 100])
def test_a_steady_endpoint_gives_its_rate_up_to_a_tenth(per_s, factor):
    endpoint = Endpoint(per_s)
    limit_ns = round(factor / per_s * 1e9)
    found = search(endpoint, limit_ns)
    truth = endpoint.highest(limit_ns)

    assert ("found", True, True) == (found.ended, found.stood, found.confirmed)
    assert found.best is not None
    assert truth / BETWEEN <= found.best <= truth
    assert endpoint.spent_s < 130


@pytest.mark.parametrize("budget_s", [3, 10, 60, 600])
@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_a_noisy_endpoint_ends_in_its_time_too(budget_s, noise):
    worst = 0.0
    for seed in range(50):
        endpoint = Endpoint(200, seed, noise)
        found = search(endpoint, 100 * MS, budget_s)
        worst = max(worst, endpoint.spent_s)
        if found.best is not None:
            assert found.above is None or found.best < found.above
            assert 0 < found.best < 2 * endpoint.highest(100 * MS)

    assert worst <= max(budget_s, 1) * 1.02 * 1.5


def test_most_noisy_searches_find_a_rate_near_the_truth():
    found = [search(Endpoint(200, seed, 0.05), 100 * MS) for seed in range(100)]
    truth = Endpoint(200).highest(100 * MS)
    near = sum(each.best is not None and abs(each.best / truth - 1) < 0.15 for each in found)

    assert near >= 90


def test_what_one_request_at_a_time_does_not_keep_is_hopeless():
    endpoint = Endpoint(10)
    found = search(endpoint, 100 * MS)

    assert ("hopeless", None, 1) == (found.ended, found.best, endpoint.probes)


def test_an_endpoint_that_answers_nothing_is_hopeless():
    found = RateSearch(100 * MS, 60)
    found.next()
    found.tell(Seen(observed_ns=math.inf, upper_ns=None, mean_ns=None, spoilt="failed", seconds=1))

    assert None is found.next()
    assert "hopeless" == found.ended


def test_a_late_client_is_blamed_where_the_limit_was_missed_and_not_where_it_was_met():
    found = RateSearch(100 * MS, 60)
    for observed, spoilt in ((5, "limited"), (20, "limited"), (200, "limited")):
        probe = found.next()
        met = found.tell(Seen(observed_ns=observed * MS, upper_ns=None, mean_ns=5 * MS, spoilt=spoilt, seconds=2))
        assert (observed < 100) == met
        assert probe is not None

    assert (100.0, 200.0, True) == (found.best, found.above, found.limited)


def test_a_confirmation_that_misses_is_tried_a_tenth_lower():
    found = RateSearch(100 * MS, 1000)
    rates = []
    while (probe := found.next()) is not None:
        rates.append((probe.rate, probe.confirms))
        limit = 120 if probe.confirms else 150
        observed = 5 if probe.rate is None or probe.rate < limit else 500
        found.tell(Seen(observed_ns=observed * MS, upper_ns=None, mean_ns=10 * MS, spoilt=None, seconds=probe.seconds))
    confirmed = [rate for rate, confirms in rates if confirms]

    assert len(confirmed) > 2
    assert all(lower == pytest.approx(0.9 * higher) for higher, lower in itertools.pairwise(confirmed))
    assert (True, False, confirmed[-1]) == (found.stood, found.confirmed, found.best)
    assert confirmed[-1] < 120


def test_what_was_confirmed_is_the_answer_though_a_lucky_probe_met_more():
    found = RateSearch(100 * MS, 1000)
    # 50, 100 and 200 meet it, 400 does not, 283 meets it, 336 misses, 308 meets it; then 308 and 277 are not confirmed,
    # 250 is.
    for ms in (10, 10, 10, 10, 500, 10, 500, 10, 500, 500, 10):
        probe = found.next()
        assert probe is not None
        found.tell(Seen(observed_ns=ms * MS, upper_ns=None, mean_ns=10 * MS, spoilt=None, seconds=1))

    assert None is found.next()
    assert found.stood
    assert found.best == probe.rate == pytest.approx(0.81 * 308, abs=1)
