"""The division of rows into folds."""

import re
from dataclasses import replace

import numpy as np
import pytest

from epkit.core.train.plan import TrainPlan
from epkit.core.train.problem import Examples
from epkit.errors import UsageError
from epkit.learners.folds import Folds, folds
from support.training import examples

pytest.importorskip("sklearn", reason="needs the extra train")


def split(table: Examples, **given: object) -> Folds:
    return folds(table, np.arange(len(table)), TrainPlan(label="y", **given))  # type: ignore[arg-type]


def with_classes(counts: list[int]) -> Examples:
    y = np.repeat(np.arange(len(counts)), counts)
    table = examples("multiclass", len(y))
    label = replace(table.label, classes=tuple(map(str, range(len(counts)))))
    return replace(table, y=y, label=label)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_every_row_is_judged_once_by_a_model_that_did_not_see_it(task) -> None:
    found = split(examples(task))

    assert 5 == len(found.pairs)
    assert found.warning is None
    assert list(range(240)) == sorted(np.concatenate([valid for _, valid in found.pairs]))
    assert all(240 == len(train) + len(valid) == len({*train, *valid}) for train, valid in found.pairs)


def test_classes_are_in_all_folds_as_often() -> None:
    found = split(with_classes([50, 10]))

    assert [[10, 2]] * 5 == [np.bincount(np.repeat([0, 1], [50, 10])[valid]).tolist() for _, valid in found.pairs]


def test_the_seed_decides() -> None:
    table = examples("binary")
    one, same, other = split(table), split(table), split(table, seed=1)

    np.testing.assert_array_equal(one.pairs[0][1], same.pairs[0][1])
    assert one.pairs[0][1].tolist() != other.pairs[0][1].tolist()


def test_folds_are_of_the_rows_that_the_search_sees() -> None:
    found = folds(examples("binary"), np.arange(100, 150), TrainPlan(label="y"))

    assert list(range(50)) == sorted(np.concatenate([valid for _, valid in found.pairs]))


def test_a_class_with_fewer_rows_than_folds_is_one_clear_warning() -> None:
    found = split(with_classes([40, 30, 2]))

    assert 5 == len(found.pairs)
    assert "the rarest class has 2 rows, fewer than the 5 folds" in (found.warning or "")


def test_classes_with_a_row_each_are_split_all_the_same() -> None:
    found = split(with_classes([1] * 10))

    assert 5 == len(found.pairs)
    assert "the rarest class has 1 row," in (found.warning or "")


@pytest.mark.parametrize("rows", [2, 3, 10])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_few_rows_are_folds_of_one_row_at_least(task, rows) -> None:
    found = split(examples(task, rows))

    assert min(rows, 5) == len(found.pairs)
    assert ("fewer than the 5 folds" in (found.warning or "")) == (rows < 5)


def test_one_row_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^1 rows with a label are left"):
        folds(examples("binary"), np.array([3]), TrainPlan(label="y"))


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("holdout", [None, 0.3])
def test_a_group_is_never_on_both_sides(task, holdout) -> None:
    table = examples(task, groups=12)
    found = split(table, group="g", holdout=holdout)

    assert table.groups is not None
    for train, valid in found.pairs:
        assert not {*table.groups[train]} & {*table.groups[valid]}


def test_fewer_groups_than_folds_are_fewer_folds() -> None:
    found = split(examples("regression", groups=3), group="g")

    assert 3 == len(found.pairs)
    assert "3 groups are fewer than the 5 folds: 3 are made" == found.warning


@pytest.mark.parametrize("given", [{}, {"holdout": 0.2}])
def test_one_group_is_refused(given) -> None:
    with pytest.raises(UsageError, match="there is one group only"):
        split(examples("binary", groups=1), group="g", **given)


@pytest.mark.parametrize("given", [{}, {"holdout": 0.25}])
def test_later_rows_are_predicted_from_earlier_ones(given) -> None:
    table = examples("binary", timed=True)
    found = split(table, time="t", **given)

    assert table.order is not None
    assert (1 if given else 5) == len(found.pairs)
    for train, valid in found.pairs:
        assert table.order[train].max() < table.order[valid].min()
    assert 240 == len(found.pairs[-1][0]) + len(found.pairs[-1][1])
    if given:
        assert 60 == len(found.pairs[0][1])


def test_rows_of_one_moment_stay_together() -> None:
    table = replace(examples("regression", 60), order=np.arange(60.0) // 25)

    for train, valid in split(table, time="t").pairs:
        assert table.order is not None
        assert table.order[train].max() < table.order[valid].min()


def test_a_single_moment_is_refused() -> None:
    with pytest.raises(UsageError, match=re.escape("--time: all rows are of one moment")):
        split(replace(examples("binary"), order=np.ones(240)), time="t")


def test_groups_and_time_contradict_each_other() -> None:
    with pytest.raises(UsageError, match="--group and --time"):
        split(examples("binary", groups=5, timed=True), group="g", time="t")


def test_a_holdout_is_one_stratified_split() -> None:
    ((train, valid),) = split(with_classes([180, 20]), holdout=0.1).pairs

    assert 20 == len(valid)
    assert 180 == len(train)
    assert 2 == (valid >= 180).sum()


def test_a_holdout_that_cannot_be_stratified_says_so() -> None:
    found = split(with_classes([20, 1]), holdout=0.1)

    assert "--holdout 0.1: a class has too few rows to be on both sides" == found.warning
    assert 2 == len(found.pairs[0][1])
