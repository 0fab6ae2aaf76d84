"""The options are parsed once: the plan has all values that a run needs, with their types."""

import pytest

from epkit.core.load.criteria import Bound, Tight
from epkit.core.load.plan import WARMUP
from epkit.errors import UsageError
from epkit.flows.bench.options import BenchOptions
from epkit.flows.bench.plan import OPEN_CONCURRENCY, UNTIL_S, parse
from epkit.flows.target.request_options import RequestOptions


def asked(**options):
    return parse(BenchOptions(**options))


def test_the_words_of_a_run_are_parsed():
    until = asked(until="ci(p99)<5%", slos=("p99<250ms", "failed<1%"))

    assert Tight(text="ci(p99)<5%", key="99", share=0.05) == until.until
    assert ["p99<250ms", "failed<1%"] == [slo.expression for slo in until.slos]
    assert Bound(text="p99<1s", key="99", limit_ns=10**9) == asked(find_max="p99<1s").bound
    assert (None, None, ()) == (asked().until, asked().bound, asked().slos)


def test_what_decides_the_engine_decides_how_much_may_be_in_flight():
    wire, httpx = asked(rate=5.0, requests=9), asked(rate=5.0, requests=9, http2=True)

    assert ("wire", OPEN_CONCURRENCY["wire"]) == (wire.engine, wire.phases[0].concurrency)
    assert ("httpx", OPEN_CONCURRENCY["httpx"]) == (httpx.engine, httpx.phases[0].concurrency)


def test_a_plan_has_its_time_its_connections_and_its_seed():
    plan = asked(request=RequestOptions(keepalive=False), seed=7).plan(1.5, 1)

    assert (1_500_000_000, False, 7, 1) == (plan.timeout_ns, plan.keepalive, plan.seed, plan.phases[0].requests)


@pytest.mark.parametrize(
    ("options", "workers", "concurrency"),
    [
        ({}, 1, 1),
        ({"requests": 100}, 3, 3),
        ({"requests": 2}, 3, 2),
        ({"time_limit_s": 1.0, "warmup": "5s"}, 4, 4),
        ({"requests": 100, "concurrency": 2}, 3, 2),
        ({"rate": 5.0, "requests": 9, "concurrency": 8}, 3, 8),
        ({"sweep": "c=1,2", "requests": 9}, 3, 1),
    ],
)
def test_unless_it_is_said_each_worker_has_a_request_in_flight(options, workers, concurrency):
    assert concurrency == asked(**options).phases_for(workers)[0].concurrency


def test_a_run_until_an_estimate_is_tight_has_a_limit_and_a_search_sets_its_own():
    assert UNTIL_S == asked(until="ci(p50)<5%").phases[0].duration_ns / 1e9
    assert None is asked(find_max="p99<1s").phases[0].duration_ns


def test_a_warmup_comes_first():
    assert [WARMUP, "measure"] == [phase.name for phase in asked(warmup="5", requests=9).phases]


@pytest.mark.parametrize("options", [{"slos": ("fast",)}, {"until": "soon"}, {"find_max": "much"}, {"warmup": "long"}])
def test_what_cannot_be_read_is_refused(options):
    with pytest.raises(UsageError):
        asked(**options)
