"""The contributions of columns, compared with the definition: the mean over every order of the columns."""

from itertools import combinations
from math import factorial

import numpy as np
import polars as pl
import pytest

from epkit.core.train.columns import encode
from epkit.learners.exporting import from_lightgbm
from epkit.learners.typical import contributions
from epkit.served.model import combine, margins
from support.trained import booster, learned_from

pytest.importorskip("lightgbm", reason="needs the extra train")


def table(rows=400, seed=0):
    g = np.random.default_rng(seed)
    holes = g.normal(size=rows)
    holes[g.random(rows) < 0.3] = np.nan
    return pl.DataFrame({
        "x": g.normal(size=rows).round(1),
        "holey": holes,
        "kind": g.choice(["a", "b", "c", "d", "e"], rows),
        "zero": g.choice([0.0, 0.0, 1.0, -2.0], rows),
        "day": pl.Series(g.integers(0, 900, rows)).cast(pl.Int32).cast(pl.Date),
    })  # fmt: skip


def labelled(frame, task):
    signal = frame["x"] + frame["holey"].fill_nan(1.0) * (frame["zero"] == 0) + frame["kind"].is_in(["a", "d"]) * 2.0
    signal = signal + (frame["day"].dt.weekday() > 5) * 1.0
    if task == "regression":
        return frame.with_columns(y=signal * 100.0)
    cuts = [0.5] if task == "binary" else [0.0, 1.5]
    names = np.array(["low", "middle", "high"])
    return frame.with_columns(y=pl.Series(names[np.searchsorted(cuts, signal.to_numpy())]))


def by_definition(arrays, row, typical, players, count):
    """Return players × margins: the weighted mean, over all sets of others, of the difference that a player makes."""
    found = np.zeros((count, len(arrays["base"])))
    for player in range(count):
        others = [each for each in range(count) if each != player]
        for size in range(count):
            weight = factorial(size) * factorial(count - 1 - size) / factorial(count)
            for chosen in combinations(others, size):
                without = np.where(np.isin(players, chosen), row, typical)
                with_it = np.where(np.isin(players, (*chosen, player)), row, typical)
                both = margins(arrays, np.vstack((with_it, without)))
                found[player] += weight * (both[0] - both[1])
    return found


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("more", [{}, {"zero_as_missing": True}, {"max_cat_to_onehot": 1, "num_leaves": 9}], ids=str)
def test_contributions_are_shapley_values(task, more):
    learned = learned_from(labelled(table(), task))
    examples = learned.examples
    one = from_lightgbm(booster(learned, rounds=6, **more), examples.matrix)
    other = from_lightgbm(booster(learned, rounds=3, bagging_fraction=0.5, bagging_freq=1), examples.matrix)
    terms = {
        "base": np.full(len(one["base"]), 0.25),
        "linear_feature": np.array([0, 1, 1, 2]),
        "linear_code": np.array([-1, -1, -2, 3]),
        "linear_mean": np.array([0.1, 0.2, 0.0, 0.0]),
        "linear_scale": np.array([2.0, 3.0, 1.0, 1.0]),
        "linear_weight": np.arange(4.0)[:, None] + np.arange(len(one["base"])),
    }
    arrays = combine([(0.5, one), (0.3, other), (0.2, terms)])
    names = [column["name"] for column in learned.examples.card_columns]
    players = [names.index(feature.column) for feature in examples.features]
    rows = encode(table(6, seed=9), examples.card_columns)
    rows[0] = np.nan  # all missing or unseen
    rows[1, 2] = 700.0
    typical = examples.matrix[5]

    found = contributions(arrays, rows, typical, players, len(names))

    assert (6, 5, len(one["base"])) == found.shape
    for row, values in zip(rows, found, strict=True):
        assert values == pytest.approx(by_definition(arrays, row, typical, players, 5), abs=1e-9)
    assert found.sum(axis=1) + margins(arrays, typical[None]) == pytest.approx(margins(arrays, rows), abs=1e-9)


def test_the_typical_row_has_no_contributions_and_many_rows_are_those_of_each(monkeypatch):
    learned = learned_from(labelled(table(), "binary"))
    arrays = from_lightgbm(booster(learned, rounds=20), learned.examples.matrix)
    matrix, players = learned.examples.matrix, list(range(learned.examples.matrix.shape[1]))
    whole = contributions(arrays, matrix, matrix[7], players, len(players))
    monkeypatch.setattr("epkit.learners.typical.MOST_CELLS", 2000)
    monkeypatch.setattr("epkit.learners.typical._CONDITIONS", 100)

    assert np.zeros_like(whole[7]).tolist() == whole[7].tolist()
    assert contributions(arrays, matrix, matrix[7], players, len(players)) == pytest.approx(whole, abs=1e-12)
    assert (0, len(players), 1) == contributions(arrays, matrix[:0], matrix[7], players, len(players)).shape
