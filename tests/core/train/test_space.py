"""The runs of a search."""

from collections import Counter

import pytest

from epkit.core.train.space import FIXED, MOST_LEAVES, MOST_TREES, candidate, schedule


def test_a_run_depends_on_its_number_and_the_seed_alone() -> None:
    assert schedule(20, 3, rows=1000, outputs=1) == schedule(85, 3, rows=1000, outputs=1)[:20]
    assert candidate(50, 3, rows=1000, outputs=1) == schedule(85, 3, rows=1000, outputs=1)[49]


def test_the_first_runs_are_the_same_for_every_seed_and_the_others_differ() -> None:
    ours, others = schedule(40, 0, rows=1000, outputs=1), schedule(40, 1, rows=1000, outputs=1)

    assert ours[:FIXED] == others[:FIXED]
    assert not set(map(repr, ours[FIXED:])) & set(map(repr, others[FIXED:]))
    assert ["naive", "linear", "gbdt", "gbdt", "gbdt", "extra"] == [each.family for each in ours[:FIXED]]


def test_every_family_is_drawn_and_boosting_most() -> None:
    families = Counter(each.family for each in schedule(85, 0, rows=1000, outputs=1))

    assert {"naive", "linear", "gbdt", "extra", "forest", "dart"} == set(families)
    assert families["gbdt"] > 40


@pytest.mark.parametrize("outputs", [1, 3, 1000])
@pytest.mark.parametrize("rows", [10, 32_950])
def test_what_is_drawn_is_bounded(rows: int, outputs: int) -> None:
    for each in schedule(300, 0, rows=rows, outputs=outputs):
        if "rounds" in each.parameters:
            assert each.parameters["num_leaves"] <= MOST_LEAVES
            assert 1 <= each.parameters["rounds"] <= MOST_TREES
            assert each.parameters["rounds"] * outputs <= max(MOST_TREES, 6000)
            assert 1 <= each.parameters["min_data_in_leaf"] <= max(1, rows // 20)


def test_many_classes_have_fewer_and_longer_steps() -> None:
    slow = {outputs: candidate(4, 0, rows=1000, outputs=outputs).parameters for outputs in (1, 10, 30, 1000)}

    assert [(400, 0.03), (400, 0.03), (200, 0.06), (6, 0.3)] == [
        (each["rounds"], each["learning_rate"]) for each in slow.values()
    ]


@pytest.mark.parametrize("runs", [1, 3, 6, 7, 20])
def test_own_estimators_have_the_numbers_after_the_fixed_runs_and_displace_no_run(runs: int) -> None:
    own = schedule(runs, 0, rows=1000, outputs=1, custom=("a.py:one", "b.py:two"))
    more = schedule(runs + 5, 0, rows=1000, outputs=1, custom=("a.py:one", "b.py:two"))

    assert runs + 2 == len(own)
    assert [(7, "a.py:one"), (8, "b.py:two")] == [
        (each.run, each.parameters["make"]) for each in own if each.family == "custom"
    ]
    assert set(map(repr, own)) <= set(map(repr, more))
    assert sorted(each.run for each in own) == [each.run for each in own]
