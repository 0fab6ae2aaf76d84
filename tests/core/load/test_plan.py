"""A plan is a value: it can be compared, and cannot be changed."""

from dataclasses import FrozenInstanceError

import pytest

from epkit.core.load.plan import Phase, Plan


def test_equal_plans_are_equal_and_hash_alike() -> None:
    one, other = (Plan(phases=(Phase(requests=10),), timeout_ns=60 * 10**9) for _ in range(2))

    assert one == other
    assert {one} == {other}
    assert one != Plan(phases=(Phase(requests=11),), timeout_ns=60 * 10**9)


def test_the_least_that_is_said_means_one_slot_and_kept_connections() -> None:
    plan = Plan(phases=(Phase(),), timeout_ns=1)

    assert (True, 0) == (plan.keepalive, plan.seed)
    assert Phase(name="measure", model="closed", concurrency=1, requests=None, duration_ns=None) == plan.phases[0]


def test_a_plan_is_not_changed_while_it_runs() -> None:
    with pytest.raises(FrozenInstanceError):
        Phase().requests = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Plan(phases=(), timeout_ns=1).seed = 1  # type: ignore[misc]
