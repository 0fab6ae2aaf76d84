"""The shares of a plan add up to the plan: the same requests at the same times."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.load.plan import Phase, Plan
from epkit.core.load.schedule import due_times
from epkit.core.load.shares import count, most_workers, split

SECOND = 1_000_000_000


def plan(*phases: Phase) -> Plan:
    return Plan(phases=phases, timeout_ns=SECOND)


def times(phase: Phase, seed: int = 5) -> list[int]:
    return list(itertools.chain.from_iterable(due_times(phase, seed)))


@given(st.integers(1, 40), st.integers(1, 200), st.integers(1, 12))
def test_requests_and_places_of_a_closed_phase_add_up(concurrency, requests, workers):
    phase = Phase(concurrency=min(concurrency, requests), requests=requests)
    shares = [share.phases[0] for share in split(plan(phase), workers)]

    assert requests == sum(share.requests for share in shares)
    assert phase.concurrency == sum(share.concurrency for share in shares)
    assert all(share.concurrency <= share.requests for share in shares)
    assert max(share.requests for share in shares) - min(s.requests for s in shares if s.concurrency) <= 1


@given(
    st.sampled_from(["constant", "poisson"]),
    st.floats(1, 2000),
    st.one_of(st.none(), st.floats(1, 2000)),
    st.one_of(st.none(), st.integers(1, 3000)),
    st.integers(1, 9),
    st.integers(1, 20),
)
def test_the_schedules_of_all_are_the_one_schedule(arrivals, rate, rate_to, requests, workers, concurrency):
    phase = Phase(
        model="open", concurrency=concurrency, rate=rate, rate_to=rate_to, requests=requests,
        duration_ns=SECOND, arrivals=arrivals,
    )  # fmt: skip
    shares = [share.phases[0] for share in split(plan(phase), workers)]

    assert times(phase) == sorted(itertools.chain.from_iterable(map(times, shares)))
    busy = [times(share) for share in shares if share.concurrency]
    assert max(map(len, busy)) - min(map(len, busy)) <= 1
    assert times(phase)[:: len(busy)] == busy[0], "each in turn"


def test_who_has_no_place_in_a_phase_is_idle_until_it_is_over():
    phases = Phase(concurrency=1, requests=7), Phase(concurrency=1, duration_ns=SECOND), Phase(concurrency=4)
    first, second, third = split(plan(*phases), 3)

    assert [7, 0, 0] == [share.phases[0].requests for share in (first, second, third)]
    assert [1, 0, 0] == [share.phases[0].concurrency for share in (first, second, third)]
    assert [1, 0, 0] == [share.phases[1].concurrency for share in (first, second, third)]
    assert [2, 1, 1] == [share.phases[2].concurrency for share in (first, second, third)]
    assert SECOND == second.phases[1].duration_ns


def test_a_plan_can_be_split_among_as_many_as_have_something_to_do():
    assert 4 == most_workers([Phase(concurrency=2), Phase(concurrency=4)])
    assert 3 == most_workers([Phase(concurrency=8, requests=3)])
    assert 1000 == most_workers([Phase(model="open", concurrency=1000, rate=1.0, requests=3)])


@pytest.mark.parametrize("total", [0, 1, 9, 10])
def test_counting_out_leaves_nothing_over(total):
    assert total == sum(count(total, place, 4) for place in range(4))


def test_one_worker_has_the_whole_plan():
    phase = Phase(concurrency=3, requests=10)

    assert (plan(phase),) == split(plan(phase), 1)
