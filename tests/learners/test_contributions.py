"""Contributions sum to the margins for every kind of member."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from epkit.core.train.problem import Label
from epkit.learners import contributions
from support.examples import drawn_examples
from support.margins import BINARY, MANY, NUMBER

lightgbm = pytest.importorskip("lightgbm")


class Trees:
    """A booster whose margins are its score, scaled and shifted."""

    def __init__(self, label: Label, boosting: str = "gbdt", scale: float = 1.0, shift: float = 0.0) -> None:
        self.table = drawn_examples(label, n=600)
        self.table.matrix[::7, 0] = np.nan
        self.table.matrix[::11, 1] = np.nan
        self.rounds: int | None = 12
        self.outputs, self.scale, self.shift = label.outputs, scale, shift
        objective = {"binary": "binary", "multiclass": "multiclass", "regression": "regression"}[label.task]
        settings = {"objective": objective, "boosting": boosting, "verbosity": -1, "num_threads": 1, "num_leaves": 7}
        settings |= {"num_class": label.outputs} if label.task == "multiclass" else {}
        settings |= {"bagging_freq": 1, "bagging_fraction": 0.6} if boosting == "rf" else {}
        data = lightgbm.Dataset(self.table.matrix, self.table.y, categorical_feature=[1])
        self.booster = lightgbm.train(settings, data, num_boost_round=15)  # three rounds more than are used
        self.averaged = boosting == "rf"

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        raw = self.booster.predict(matrix, raw_score=True, num_iteration=self.rounds, num_threads=1)
        raw = np.asarray(raw).reshape(len(matrix), self.outputs)
        return raw / (self.rounds or 1) * self.scale + self.shift if self.averaged else raw * self.scale + self.shift

    def arrays(self) -> Mapping[str, np.ndarray]:
        raise AssertionError("trees are explained by LightGBM")


class Terms:
    """A linear model of the arrays that `served.model` evaluates."""

    rounds: int | None = None

    def __init__(self, outputs: int) -> None:
        g = np.random.default_rng(1)
        self._arrays = {
            "base": g.normal(size=outputs),
            "linear_feature": np.array([0, 0, 1, 1, 1, 3]),
            "linear_code": np.array([-1, -2, 0, 1, 2, -1]),
            "linear_mean": np.array([50.0, 0, 0, 0, 0, 1.0]),
            "linear_scale": np.array([20.0, 1, 1, 1, 1, 0.5]),
            "linear_weight": g.normal(size=(6, outputs)),
        }

    def arrays(self) -> Mapping[str, np.ndarray]:
        return self._arrays

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        age, job, code = matrix[:, 0], matrix[:, 1], matrix[:, 3]
        terms = [np.nan_to_num((age - 50) / 20), np.isnan(age), job == 0, job == 1, job == 2, (code - 1) / 0.5]
        return np.asarray(np.column_stack(terms) @ self._arrays["linear_weight"] + self._arrays["base"])


class Constant:
    """A model with one constant answer."""

    rounds: int | None = None

    def arrays(self) -> Mapping[str, np.ndarray]:
        return {"base": np.array([0.7])}

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        return np.full((len(matrix), 1), 0.7)


class Own:
    """A user's own estimator."""

    rounds: int | None = None
    estimator = object()

    def arrays(self) -> Mapping[str, np.ndarray]:
        raise AssertionError("it has none")

    def margins(self, matrix: np.ndarray) -> np.ndarray:
        return np.zeros((len(matrix), 1))


def off(members: contributions.Members, matrix: np.ndarray) -> float:
    """Return the deviation of the sums from the margins."""
    found = contributions.contributions(members, matrix)
    assert found is not None
    return float(np.abs(found.values.sum(axis=1) + found.base - contributions.mean_margins(members, matrix)).max())


@pytest.mark.parametrize("label", [BINARY, MANY, NUMBER])
@pytest.mark.parametrize("boosting", ["gbdt", "rf", "dart"])
def test_contributions_of_trees_sum_to_the_margins(label: Label, boosting: str) -> None:
    trees = Trees(label, boosting, scale=4.0, shift=-3.0)

    assert off([(1.0, trees)], trees.table.matrix) < 1e-9


@pytest.mark.parametrize("outputs", [1, 4])
def test_contributions_of_terms_sum_to_the_margins_and_have_no_mean(outputs: int) -> None:
    matrix = Trees(BINARY).table.matrix
    found = contributions.contributions([(1.0, Terms(outputs))], matrix)

    assert off([(1.0, Terms(outputs))], matrix) < 1e-9
    assert found is not None
    assert np.zeros((4, outputs)) == pytest.approx(found.values.mean(axis=0), abs=1e-12)
    assert not found.values[:, 2].any()


def test_a_vote_sums_to_the_weighted_mean_of_its_members() -> None:
    trees = Trees(BINARY)
    members: Any = [(0.5, trees), (0.3, Terms(1)), (0.2, Constant())]

    assert off(members, trees.table.matrix) < 1e-9


def test_a_users_estimator_has_no_contributions() -> None:
    assert contributions.contributions([(1.0, Own())], np.zeros((3, 2))) is None


def test_contributions_that_do_not_sum_are_refused() -> None:
    trees = Trees(BINARY)
    straight = trees.margins
    trees.margins = lambda matrix: straight(matrix) ** 3  # type: ignore[method-assign]

    with pytest.raises(ArithmeticError, match="off the margins"):
        contributions.contributions([(1.0, trees)], trees.table.matrix)


def test_how_many_rows_are_explained_is_bounded() -> None:
    trees = Trees(BINARY)

    assert 2000 == contributions.rows_to_explain([(1.0, trees)], 4, 1, 2000)
    trees.rounds = 3000
    assert 500 == contributions.rows_to_explain([(1.0, trees)], 4, 1, 2000)
    assert contributions.LEAST_ROWS == contributions.rows_to_explain([(1.0, trees)], 4, 10, 2000)
    assert 100 == contributions.rows_to_explain([(1.0, Constant())], 4, 1, 100)
    assert 20 == contributions.rows_to_explain([(1.0, Constant())], 1000, 1000, 2000)
