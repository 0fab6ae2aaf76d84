"""Mann and Whitney's statistic, and a classifier's verdict from it."""

import itertools

import numpy as np
import polars as pl
import pytest

from epkit.core.drift.apart import FEWEST_ROWS, FOLDS, MOST_ROWS, SPREAD, BothSamples, both, classify, mann_whitney
from epkit.core.drift.reference import Reference


@pytest.mark.parametrize("scores", [[1, 2, 3, 4, 5, 6], [1, 1, 2, 2, 2, 3], [0, 0, 0, 0, 0, 1]])
def test_mean_and_variance_are_those_of_all_deals(scores):
    """Compare with every division in which two of the six scores are on the new side."""
    areas = []
    for new in itertools.combinations(range(6), 2):
        is_new = np.isin(np.arange(6), new)
        area, variance = mann_whitney(np.array(scores, float), is_new)
        areas.append(area)

    assert 0.5 == pytest.approx(np.mean(areas))
    assert variance == pytest.approx(np.var(areas))


def test_there_is_nothing_to_compare_where_a_side_or_a_difference_is_missing():
    assert (0.5, 0.0) == mann_whitney(np.array([1.0, 2.0]), np.array([True, True]))
    assert 0.0 == mann_whitney(np.ones(4), np.array([True, True, False, False]))[1]


def rows(scores, is_new):
    """Return rows of one column, and their folds in turns."""
    count = len(is_new)
    return BothSamples(
        matrix=np.array(scores, float).reshape(-1, 1), is_new=is_new, folds=np.arange(count) % FOLDS, categories=(0,)
    )


def by_itself(matrix, is_new, folds, categories, seed):
    """Use the column as the score of a classifier."""
    return matrix[:, 0]


def test_the_threshold_is_the_normal_quantile_of_all_folds_together_and_a_third_more():
    rng = np.random.default_rng(0)
    is_new = np.arange(2000) % 2 == 0
    found = classify(rows(rng.random(2000), is_new), by_itself, 0.05 / 22, 0)

    # one sample of 2,000 has a deviation of sqrt(2001 / (12 * 1000 * 1000)) = 0.0129; the quantile is 2.837
    assert found.threshold == pytest.approx(0.5 + SPREAD * 2.837 * 0.0129, abs=0.002)
    assert not found.found
    assert (1000, 1000) == (found.old_rows, found.new_rows)


def test_rows_that_differ_are_told_apart():
    is_new = np.arange(400) % 2 == 0
    found = classify(rows(is_new + np.random.default_rng(0).random(400), is_new), by_itself, 0.01, 0)

    assert found.found
    assert found.auc == pytest.approx(1.0)


def test_where_all_scores_are_equal_nothing_is_found():
    found = classify(rows(np.ones(100), np.arange(100) % 2 == 0), by_itself, 0.01, 0)

    assert (0.5, 1.0, False) == (found.auc, found.threshold, found.found)


def test_many_rows_are_drawn_from_and_each_fold_has_its_part_of_both_sides():
    table = pl.DataFrame({"x": [row % 40 for row in range(2 * MOST_ROWS)], "c": ["a", "b"] * MOST_ROWS})
    old = Reference.of(table)
    made = both(old, table, old.columns, "new", 0)

    assert 2 * MOST_ROWS == len(made.is_new)
    assert (0, 2) == made.categories
    assert {MOST_ROWS // FOLDS} == {
        int(((made.folds == fold) & (made.is_new == side)).sum()) for fold in range(FOLDS) for side in (False, True)
    }


def test_few_rows_or_a_card_are_not_asked_about():
    table = pl.DataFrame({"x": range(FEWEST_ROWS)})
    old = Reference.of(table)

    assert both(old, table, old.columns, "new", 0) is not None
    assert both(old, table[1:], old.columns, "new", 0) is None
    assert both(old, table, (), "new", 0) is None
