"""The card of a model."""

import json
import math

import numpy as np
import pytest

from epkit.core.train.card import card_bytes, example, reference
from epkit.core.train.report import Cohort, Figure
from support.trained import bank_like, card_of, learned_from

ROWS = 60


def cycle(*values):
    return [values[row % len(values)] for row in range(ROWS)]


@pytest.fixture
def odd():
    """Return a table with every kind of column, with missing values."""
    return learned_from(
        {
            "n": cycle(1.5, None, 2.5, 3.5),
            "i": cycle(1, 2, 2, 9),
            "c": cycle("b", "a", "b", None),
            "flag": cycle(True, True, False),
            "day": cycle("2024-01-05", "2024-01-07", "2024-02-20"),
            "hour": cycle("2024-01-05T10:30:00", "2024-01-05T12:30:00", "2024-01-05T12:45:00"),
            "id": list(range(ROWS)),
            "same": ["x"] * ROWS,
            "y": cycle("no", "yes", "no"),
        },
        ids=("id",),
    )


def test_the_example_is_made_of_medians_and_of_the_most_frequent(odd):
    expected = {"n": 2.5, "i": 2, "c": "b", "flag": True, "day": "2024-01-07", "hour": "2024-01-05T12:00:00"}

    assert expected == example(odd.examples)
    assert [float, int, str, bool, str, str] == [type(value) for value in example(odd.examples).values()]


def test_the_example_is_read_by_the_model_it_belongs_to(odd):
    from epkit.served.encoding import encode_column

    row = example(odd.examples)
    for column in odd.examples.card_columns:
        assert not np.isnan(encode_column(column, [row[column["name"]]])).any()


def test_reference_distributions_count_every_row(odd):
    found = reference(odd.examples)
    below = float(np.nextafter(1.5, 0))  # 1.5 has as many rows as a range

    assert {"edges": [below, 1.5, 2.5, 3.5], "counts": [0, 15, 15, 15, 0], "missing": 15} == found["columns"]["n"]
    assert {"counts": [15, 30], "other": 0, "missing": 15} == found["columns"]["c"]
    assert {"counts": [20, 40], "other": 0, "missing": 0} == found["columns"]["flag"]
    assert {"counts": [40, 20]} == found["label"]
    assert 60 == sum(found["columns"]["day"]["counts"])


def test_the_reference_of_a_positive_first_class_is_in_the_order_of_the_classes():
    learned = learned_from({"n": cycle(1, 2, 3, 4), "y": cycle("no", "yes", "yes")})

    assert 0 == learned.examples.label.positive
    assert {"counts": [20, 40]} == reference(learned.examples)["label"]


def test_the_reference_of_numbers_has_twenty_ranges():
    learned = learned_from({"n": [float(row) for row in range(1000)], "y": [row * 0.5 for row in range(1000)]})
    found = reference(learned.examples)

    assert [50] * 20 == found["columns"]["n"]["counts"]
    assert [50] * 20 == found["label"]["counts"]


def test_a_card_names_what_is_ignored_and_how_test_rows_are_known(odd):
    found = card_of(odd)

    assert ["id", "same", "y"] == found["ignored"]
    assert {"rule": "epkit.rows/1", "seed": 0, "size": 0.2} == {
        key: found["test"][key] for key in ("rule", "seed", "size")
    }
    assert ["c", "day", "flag", "hour", "i", "n", "same", "y"] == found["test"]["hashed"]
    assert "epkit.card/1" == found["format"]
    assert None is found["licence"]


def test_equal_inputs_give_equal_bytes_without_times_and_paths(odd):
    written = card_bytes(card_of(odd))

    assert written == card_bytes(card_of(odd))
    assert b"somewhere" not in written
    assert card_of(odd) == json.loads(written)


def test_a_card_of_the_courses_columns_is_small():
    assert len(card_bytes(card_of(learned_from(bank_like())))) < 100_000


def test_a_figure_that_is_not_finite_is_null(odd):
    from epkit.core.train.card import _figure

    figure = Figure(value=math.nan, sd=math.inf, ci95=(0.1, math.nan))

    assert {"value": None, "sd": None, "ci95": [0.1, None]} == _figure(figure)


def test_the_worst_cohorts_are_named_first():
    from epkit.core.train.card import _worst

    def cohort(where, rows, **metrics):
        figures = {name: Figure(value=value) for name, value in metrics.items()}
        return Cohort(where=where, columns=("c",), value=where, rows=rows, positive=None, metrics=figures)

    found = [
        cohort("few", 29, accuracy=0.1, rmse=9),
        cohort("good", 40, accuracy=0.9, rmse=1),
        cohort("bad", 40, accuracy=0.5, rmse=2),
        cohort("alike", 40, accuracy=0.5, rmse=2),
        cohort("unknown", 40, accuracy=math.nan),
    ]

    assert ["alike", "bad", "good"] == [one["where"] for one in _worst(found, regression=False)]
    assert ["alike", "bad", "good"] == [one["where"] for one in _worst(found, regression=True)]
