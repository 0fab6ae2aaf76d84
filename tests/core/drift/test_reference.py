"""The old side: equal from a card and from the table of that card."""

import json

import numpy as np
import polars as pl
import pytest

from epkit.core.drift.reference import Reference, range_words
from epkit.core.train.card import card_bytes
from epkit.errors import UsageError
from support.trained import card_of, learned_from

ROWS = {
    "n": [float(row % 9) for row in range(90)],
    "gap": [None if row % 10 == 0 else row for row in range(90)],
    "c": ["abc"[row % 3] for row in range(90)],
    "b": [row % 4 == 0 for row in range(90)],
    "d": [f"2024-0{1 + row % 9}-01" for row in range(90)],
    "y": ["no" if row % 3 else "yes" for row in range(90)],
}


def card():
    return json.loads(card_bytes(card_of(learned_from(ROWS))))


def said(column):
    """Return the contents of a reference's column in a form that can be compared."""
    edges = None if column.edges is None else column.edges.tolist()
    return column.name, column.part, edges, column.values, column.counts.tolist(), column.other, column.missing


def test_a_card_says_what_its_table_says():
    of_card = Reference.of_card(card())
    of_table = Reference.of(pl.DataFrame(ROWS), label="y")
    comparable = [said(column) for column in of_table.columns if column.part in (None, "days")]

    assert comparable == [said(column) for column in of_card.columns]
    assert said(of_table.label)[3:] == said(of_card.label)[3:] == (("no", "yes"), [60, 30], 0, 0)
    assert (90, 90) == (of_card.rows, of_table.rows)
    assert of_card.known == of_table.known == set(ROWS)
    assert [None, None] == [of_card.frame, of_card.label.edges]


def test_a_date_of_a_table_is_looked_at_by_its_parts_that_vary():
    found = Reference.of(pl.DataFrame(ROWS))

    assert ["month", "weekday", "days"] == [column.part for column in found.columns if column.name == "d"]


@pytest.mark.parametrize(
    ("label", "values", "edges"),
    [
        ([0, 1, 1, 0], ("0", "1"), None),
        ([0.0, 1.0, None, 1.0], ("0", "1"), None),
        ([True, False, True, True], ("false", "true"), None),
        (["a", "b", None, "a"], ("a", "b"), None),
        ([0.5, 1.25, 3.0, 1.0], (), True),
    ],
)
def test_a_label_is_classes_or_amounts(label, values, edges):
    found = Reference.of(pl.DataFrame({"x": [1, 2, 3, 4], "y": label}), label="y").label

    assert (values, edges) == (found.values, None if found.edges is None else True)
    assert 0 == found.missing


def test_a_table_without_a_label_in_any_row_has_none():
    assert Reference.of(pl.DataFrame({"x": [1, 2], "y": [None, None]}), label="y").label is None


def test_columns_that_are_constant_or_empty_are_compared_too():
    found = Reference.of(pl.DataFrame({"five": [5, 5, 5], "nothing": [None, None, None], "x": ["a", "a", "a"]}))

    assert [[0, 3, 0], [], [3]] == [column.counts.tolist() for column in found.columns]
    assert 3 == found.columns[1].missing
    assert ["below 5", "5", "above 5"] == range_words(found.columns[0].edges)


def test_of_many_values_in_a_card_those_that_are_there_by_chance_are_not_compared():
    text = card()
    (column,) = [one for one in text["columns"] if one["name"] == "c"]
    column["categories"] = ["rare", "frequent", "barely"]
    text["reference"]["columns"]["c"] = {"counts": [40, 400, 62], "other": 1000, "missing": 0}
    (found,) = [one for one in Reference.of_card(text).columns if one.name == "c"]

    assert (("frequent",), [400], 1102) == (found.values, found.counts.tolist(), found.other)


def test_a_column_that_is_dropped_is_known_and_not_compared():
    assert "n" not in [column.name for column in Reference.of_card(card(), drop=["n"]).columns]
    found = Reference.of(pl.DataFrame(ROWS), drop=["n"])

    assert "n" not in [column.name for column in found.columns]
    assert "n" in found.known


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda card: card.pop("reference"), "no 'reference'"),
        (lambda card: card["reference"]["columns"].pop("n"), "no 'n'"),
        (lambda card: card["reference"]["columns"]["n"]["edges"].reverse(), "edges do not ascend"),
        (lambda card: card["reference"]["columns"]["n"]["counts"].pop(), "counts are expected"),
        (lambda card: card["reference"]["columns"]["c"].update(counts=[1, 2, -3]), "out of bounds"),
        (lambda card: card["reference"]["columns"]["c"].update(counts=[0, 0, 0]), "0 rows"),
        (lambda card: card["columns"][0].update(kind="image"), "no kind of columns"),
        (lambda card: card["columns"].append(3), "not subscriptable"),
    ],
)
def test_a_card_that_does_not_say_it_is_refused_in_a_line(change, why):
    text = card()
    change(text)

    with pytest.raises(UsageError, match=f"model does not say how its columns are distributed .*{why}.*: train"):
        Reference.of_card(text, name="model")


def test_what_no_model_takes_is_refused_with_what_to_do():
    with pytest.raises(UsageError, match=r'column "x".*--drop "x"'):
        Reference.of(pl.DataFrame({"x": [[1], [2]]}))
    with pytest.raises(UsageError, match='column "x": an infinite number'):
        Reference.of(pl.DataFrame({"x": [1.0, float("inf")]}))


def test_an_id_is_said_to_look_like_one():
    found = Reference.of(pl.DataFrame({"client": range(60), "x": [1.5] * 60}))

    assert ('column "client" has another value in each row: if it is an id, say --drop',) == found.remarks


def test_ranges_that_six_digits_do_not_tell_apart_are_written_whole():
    assert ["to 1000000.25", "1000000.25 to 1000000.5", "above 1000000.5"] == range_words(
        np.array([1000000.25, 1000000.5])
    )
    assert ["all"] == range_words(np.array([]))
