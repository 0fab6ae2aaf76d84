"""Columns that predict the label too well on their own."""

import numpy as np
import pytest

from epkit.core.train.leaks import DISGUISE, alone, suspects
from epkit.core.train.metrics import value
from epkit.core.train.problem import Examples, Feature, Label
from support.examples import drawn_examples
from support.margins import BINARY, MANY, NUMBER


def one(label: Label, y: np.ndarray, values: np.ndarray, categories: int = 0) -> float:
    """Return how well a column predicts the label."""
    feature = Feature(name="x", column="x", categories=categories)
    table = Examples(
        label=label,
        card_columns=(),
        features=(feature,),
        matrix=values[:, np.newaxis].astype(np.float64),
        y=y,
        hashes=np.arange(len(y), dtype=np.uint64),
        texts={},
    )
    return alone(table, 0, feature)


@pytest.fixture
def g() -> np.random.Generator:
    return np.random.default_rng(0)


def test_chance_tells_nothing(g: np.random.Generator) -> None:
    for label in (BINARY, MANY, NUMBER):
        assert () == suspects(drawn_examples(label))


def test_a_number_is_judged_by_its_order_either_way(g: np.random.Generator) -> None:
    y = g.integers(0, 2, 2000)
    x = y + g.normal(size=2000)

    assert value("AUC", y, x[:, np.newaxis], BINARY) == pytest.approx(one(BINARY, y, x))
    assert one(BINARY, y, x) == pytest.approx(one(BINARY, y, -x))


def test_the_label_in_other_words_is_found_whatever_the_words(g: np.random.Generator) -> None:
    y = g.integers(0, 2, 2000)

    assert one(BINARY, y, y * 7.0) > DISGUISE
    assert one(BINARY, y, y, categories=2) > DISGUISE
    assert one(BINARY, y, np.where(y == 1, g.choice([1, 3, 5], 2000), g.choice([0, 2, 4], 2000))) > DISGUISE
    assert one(BINARY, y, np.where(y == 1, np.nan, g.normal(size=2000))) > DISGUISE
    many = g.integers(0, 4, 2000)
    assert one(MANY, many, (3 * many) % 4) > DISGUISE
    number = g.normal(size=2000)
    assert one(NUMBER, number, 3 - 2 * number) > DISGUISE


def test_what_is_known_afterwards_is_a_suspect_and_no_disguise(g: np.random.Generator) -> None:
    y = g.integers(0, 2, 2000)
    x = y + 0.7 * g.normal(size=2000)
    table = drawn_examples(BINARY)
    table.matrix[:, 0] = x
    table.y[:] = y
    ((column, auc),) = suspects(table)

    assert "age" == column
    assert 0.8 < auc < DISGUISE


def test_an_id_is_no_leak(g: np.random.Generator) -> None:
    y = g.integers(0, 2, 2000)

    assert 0.5 == pytest.approx(one(BINARY, y, g.permutation(2000), categories=2000), abs=0.03)
    assert one(BINARY, y, g.permutation(2000)) < 0.6
    assert one(NUMBER, g.normal(size=2000), g.permutation(2000), categories=2000) < 0.01


def test_a_u_shaped_number_is_found(g: np.random.Generator) -> None:
    x = g.normal(size=4000)
    y = (np.abs(x) > 1).astype(np.int64)

    assert one(BINARY, y, x) > 0.97
    assert one(NUMBER, x**2, x) > 0.8


def test_an_empty_column_and_a_constant_one_tell_nothing() -> None:
    y = np.arange(100) % 2

    for values in (np.full(100, np.nan), np.ones(100)):
        assert 0.5 == pytest.approx(one(BINARY, y, values), abs=0.1)
        assert 0.0 == pytest.approx(one(NUMBER, y.astype(np.float64), values), abs=0.05)
