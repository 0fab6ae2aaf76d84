"""Trees that distinguish two samples: by relations that no single column shows, and not by chance."""

import numpy as np
import polars as pl
import pytest

from epkit.core.drift.drift import drift
from epkit.core.drift.reference import Reference

pytest.importorskip("lightgbm", reason="needs the extra train")

from epkit.learners.two_samples import scores


def pair(rows, together, seed):
    """Make two columns with equal distributions on both sides; *together*, they are correlated."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
    return pl.DataFrame({"a": a, "b": np.where(together, a, b), "c": rng.choice(["x", "y", "z"], rows)})


def test_columns_that_go_together_only_now_are_found_by_the_classifier_alone():
    found = drift(Reference.of(pair(600, False, 1)), pair(600, True, 2), tell_apart=scores)

    assert [False, False, False] == [one.found for one in found.columns]
    assert found.classifier.found
    assert found.classifier.auc > 0.7


@pytest.mark.long
def test_the_same_rows_give_the_same_figure_and_chance_gives_no_alarm():
    def looked_at(seed):
        rng = np.random.default_rng(seed)
        table = pl.DataFrame({f"x{place}": rng.normal(size=600) for place in range(5)})
        return drift(Reference.of(table[:300]), table[300:], seed=seed, tell_apart=scores)

    aucs = []
    for seed in range(12):
        one = looked_at(seed)
        assert not one.classifier.found
        aucs.append(one.classifier.auc)
    assert one == looked_at(seed)

    assert 0.45 < np.mean(aucs) < 0.55
    # The threshold is 2.71 assumed deviations above 0.5 (the quantile of 0.02 / 6).
    assert np.std(aucs) < 1.3 * (one.classifier.threshold - 0.5) / 2.71


def test_a_fold_without_rows_of_one_side_elsewhere_is_left_at_nothing():
    is_new = np.array([False] * 5 + [True] * 5)

    assert [0.0] * 10 == scores(np.zeros((10, 1)), is_new, is_new.astype(np.int64), (0,), 0).tolist()
