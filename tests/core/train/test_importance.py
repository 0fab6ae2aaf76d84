"""Shares of contributions, shuffled columns, and effects."""

import numpy as np
import pytest

from epkit.core.train import effects, importance
from epkit.core.train.problem import Feature, probabilities
from epkit.core.train.report import Figure
from support.examples import drawn_examples
from support.margins import BINARY, MANY, NUMBER, answered

DAY = (
    Feature(name="day.month", column="day"),
    Feature(name="day.year", column="day"),
    Feature(name="age", column="age"),
)


def test_parts_of_a_column_are_summed_before_the_absolute_value() -> None:
    found = importance.by_column(np.array([[[3.0], [-2.0], [1.0]], [[-3.0], [2.0], [1.0]]]), DAY)

    assert [("day", 0.5), ("age", 0.5)] == [(each.name, each.share) for each in found]


def test_shares_sum_to_1_and_the_greatest_is_first() -> None:
    contributions = np.random.default_rng(0).normal(size=(50, 3, 4)) * np.array([1.0, 1.0, 9.0])[:, np.newaxis]
    found = importance.by_column(contributions, DAY, {"age": Figure(value=0.1, sd=0.01)})

    assert 1.0 == pytest.approx(sum(each.share for each in found))
    assert ["age", "day"] == [each.name for each in found]
    assert (Figure(value=0.1, sd=0.01), None) == (found[0].permutation, found[1].permutation)


def test_nothing_that_contributes_is_no_share() -> None:
    assert {0.0} == {each.share for each in importance.by_column(np.zeros((5, 3, 1)), DAY)}


def test_engineered_features_are_values_of_categories_parts_of_dates_and_numbers() -> None:
    table = drawn_examples(BINARY, n=4)
    table.matrix[:, 1] = [0, 0, 2, np.nan]
    contributions = np.zeros((4, 4, 1))
    contributions[:, 0, 0] = [0.5, -0.5, 0.5, 0.5]  # age: 2 of 10
    contributions[:, 1, 0] = [1.0, -2.0, 3.0, 1.0]  # job: 3 of admin., 3 of student, 1 of missing
    contributions[:, 2, 0] = [0.0, 0.0, 0.0, 1.0]
    found = {each.name: each.share for each in importance.by_feature(contributions, table.matrix, table)}

    assert {
        "job = admin.": 0.3,
        "job = student": 0.3,
        "job is missing": 0.1,
        "age": 0.2,
        "day.month": 0.1,
        "code": 0.0,
    } == pytest.approx(found)


def test_a_shuffled_column_costs_what_it_tells() -> None:
    table = drawn_examples(BINARY)
    g = np.random.default_rng(0)
    truth = 4 * (table.matrix[:, [3]] - 1)
    y = answered(truth, BINARY, g)

    def predict(matrix: np.ndarray) -> np.ndarray:
        return 4 * (matrix[:, [3]] - 1)

    found = importance.permutation(predict, table.matrix, y, BINARY, "AUC", table.features, seed=0)

    assert 0.0 == found["age"].value == found["job"].value == found["day"].value
    assert found["code"].value > 0.3
    assert found["code"].sd is not None
    assert 0 < found["code"].sd < 0.05
    loss = importance.permutation(predict, table.matrix, y, BINARY, "log_loss", table.features, seed=0)
    assert loss["code"].value > 0.3
    assert found == importance.permutation(predict, table.matrix, y, BINARY, "AUC", table.features, seed=0)


def test_all_parts_of_a_date_are_shuffled_together() -> None:
    g = np.random.default_rng(0)
    matrix = g.normal(size=(500, 3))
    matrix[:, 1] = matrix[:, 0]
    seen: list[np.ndarray] = []

    def predict(given: np.ndarray) -> np.ndarray:
        seen.append(given)
        return given[:, :1]

    importance.permutation(predict, matrix, matrix[:, 0], NUMBER, "rmse", DAY, seed=0, columns=["day"], repeats=1)

    assert (seen[1][:, 0] == seen[1][:, 1]).all()
    assert (seen[1][:, 0] != matrix[:, 0]).any()
    assert (seen[1][:, 2] == matrix[:, 2]).all()


def test_a_sample_is_in_order_and_has_no_row_twice() -> None:
    drawn = importance.sample(10_000, seed=1)

    assert importance.MOST_ROWS == len(set(drawn.tolist()))
    assert (np.diff(drawn) > 0).all()
    assert (drawn == importance.sample(10_000, seed=1)).all()
    assert [0, 1, 2] == importance.sample(3, seed=1).tolist()


def test_the_effect_of_an_additive_model_is_its_term() -> None:
    table = drawn_examples(NUMBER)

    def predict(matrix: np.ndarray) -> np.ndarray:
        return (2 * matrix[:, 0] + np.where(np.isnan(matrix[:, 1]), 7.0, matrix[:, 1]))[:, np.newaxis]

    table.y[:] = predict(table.matrix)[:, 0]
    age, job = effects.effects(predict, table, ["age", "job"], seed=0)

    assert age.x is not None
    assert [2.0] * 11 == pytest.approx(np.diff(age.predicted) / np.diff(age.x))
    assert [2.0] * 11 == pytest.approx(np.diff(age.observed) / np.diff(age.x), abs=0.3)
    assert (len(table), 12) == (sum(age.rows), len(age.labels))
    assert (("admin.", "retired", "student"), None) == (job.labels, job.x)
    assert [1.0, 1.0] == pytest.approx(np.diff(job.predicted))
    assert tuple(int((table.matrix[:, 1] == code).sum()) for code in range(3)) == job.rows


def test_a_binary_effect_is_a_probability_and_a_missing_category_is_a_value() -> None:
    table = drawn_examples(BINARY)
    table.matrix[:100, 1] = np.nan
    table.texts["job"][:100] = [None] * 100  # type: ignore[index]

    def predict(matrix: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(matrix[:, 1]), 2.0, -1.0)[:, np.newaxis]

    (job,) = effects.effects(predict, table, ["job"], seed=0)
    known, missing = probabilities(np.array([[-1.0], [2.0]]), "binary")[:, 1]

    assert ("admin.", "retired", "student", "missing") == job.labels
    assert (known, known, known, missing) == pytest.approx(job.predicted)
    assert table.y[:100].mean() == job.observed[3]


def test_a_missing_number_is_left_out_of_the_curve() -> None:
    table = drawn_examples(NUMBER)
    table.matrix[::2, 0] = np.nan
    (age,) = effects.effects(lambda matrix: np.nan_to_num(matrix[:, :1]), table, ["age"], seed=0)

    assert age.x is not None
    assert not np.isnan(age.x).any()
    assert 1000 == sum(age.rows)


def test_at_most_six_columns_and_none_of_many_classes() -> None:
    table = drawn_examples(BINARY)
    predict = lambda matrix: matrix[:, :1]  # noqa: E731

    assert ["day.month"] == [each.column for each in effects.effects(predict, table, ["day"], seed=0)]
    assert effects.MOST_COLUMNS >= len(effects.effects(predict, table, ["age", "job", "day", "code"] * 2, seed=0))
    assert () == effects.effects(predict, drawn_examples(MANY), ["age"], seed=0)
