"""Tables are converted to examples."""

import math
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest

from epkit.core.train.cells import row_hashes
from epkit.core.train.columns import encode, learn
from epkit.core.train.plan import TrainPlan
from epkit.errors import UsageError

ROWS = 40
MOMENTS = [datetime(2024, 1, day, 5, 30, tzinfo=UTC).replace(tzinfo=None) for day in (1, 2)]


def table(rows=ROWS, **columns):
    """Make a table with a useful number, a label, and more columns."""
    words = ["no", "yes", "no"]
    return pl.DataFrame(
        {
            "n": [0.5 + row % 7 for row in range(rows)],
            **columns,
            "y": columns.get("y", [words[row % 3] for row in range(rows)]),
        }
    )


def cycle(*values, rows=ROWS):
    return [values[row % len(values)] for row in range(rows)]


def learned(frame, **plan):
    return learn(frame, TrainPlan(label=plan.pop("label", "y"), **plan), "t.csv")


def card_of(values, **plan):
    """Return the card's entry for a column, and the warnings."""
    found = learned(table(x=values), **plan)
    return next((card for card in found.examples.card_columns if card["name"] == "x"), None), found.warnings


@pytest.mark.parametrize(
    ("values", "expected", "warning"),
    [
        (cycle(1, 2, 3), {"kind": "number", "integer": True, "missing": False}, None),
        (cycle(1, 2, None), {"kind": "number", "integer": True, "missing": True}, None),
        (cycle(1.0, 2.0, math.nan), {"kind": "number", "integer": False, "missing": True}, None),
        (
            cycle("b", "a", ""),
            {"kind": "category", "categories": ["a", "b"], "missing": True},
            None,
        ),
        (
            cycle(True, False),
            {"kind": "category", "boolean": True, "categories": ["false", "true"], "missing": False},
            None,
        ),
        (
            cycle("1", "NA", "2"),
            {"kind": "number", "integer": True, "missing": True},
            'column "x" holds numbers, and "NA" where one is missing',
        ),
        (
            [f"{row}e-120" for row in range(ROWS)],
            {"kind": "number", "integer": False, "missing": False},
            'column "x" holds numbers as texts, and is taken as numbers',
        ),
        (
            cycle("1.5", "2"),
            {"kind": "number", "integer": False, "missing": False},
            'column "x" holds numbers as texts, and is taken as numbers',
        ),
        (cycle("007", "008"), {"kind": "category", "categories": ["007", "008"], "missing": False}, None),
        (
            cycle("1,5", "1,5", "12,5"),
            {"kind": "category", "categories": ["1,5", "12,5"], "missing": False},
            "write numbers with a point",
        ),
        (
            cycle("2024-01-05", "2024-02-06"),
            {"kind": "date", "parts": ["month", "day", "weekday", "days"], "missing": False},
            None,
        ),
        (
            cycle("2024-01-05T10:00:00", "2024-01-05T11:00:00", None),
            {"kind": "date", "parts": ["hour", "days"], "missing": True},
            None,
        ),
        (
            cycle(date(2024, 1, 5), date(2025, 1, 5)),
            {"kind": "date", "parts": ["year", "weekday", "days"], "missing": False},
            None,
        ),
        (
            cycle("2024-01-05", "2024-13-45"),
            {"kind": "category", "categories": ["2024-01-05", "2024-13-45"], "missing": False},
            None,
        ),
        (cycle("?", "a"), {"kind": "category", "categories": ["?", "a"], "missing": False}, None),
        (cycle("x", None), {"kind": "category", "categories": ["x"], "missing": True}, None),
    ],
)
def test_a_column_is_a_number_a_category_or_a_date(values, expected, warning):
    card, warnings = card_of(values)

    assert {"name": "x", **expected} == card
    assert ([] if warning is None else [True]) == [warning in text for text in warnings if warning]
    assert warning is not None or not warnings


@pytest.mark.parametrize(
    ("values", "kind", "warning"),
    [
        ([None] * ROWS, "empty", 'column "x" is empty in all rows, and left out'),
        ([""] * ROWS, "empty", 'column "x" is empty in all rows, and left out'),
        ([math.nan] * ROWS, "empty", 'column "x" is empty in all rows, and left out'),
        (["a"] * ROWS, "constant", 'column "x" is a in all rows, and left out'),
        ([7] * ROWS, "constant", 'column "x" is 7 in all rows, and left out'),
    ],
)
def test_what_tells_nothing_is_left_out(values, kind, warning):
    found = learned(table(x=values))

    assert ["number", kind, "label"] == [column.kind for column in found.columns]
    assert (warning,) == found.warnings
    assert ["n"] == [feature.name for feature in found.examples.features]


def test_ids_and_dropped_columns_are_left_out_and_an_unnamed_id_is_pointed_out():
    rows = 60
    frame = table(rows, id=list(range(rows)), key=[f"k{row}" for row in range(rows)], d=cycle("a", "b", rows=rows))
    found = learned(frame, ids=("id",), drop=("d",))

    assert ["number", "id", "category", "dropped", "label"] == [column.kind for column in found.columns]
    assert ('column "key" has another value in each row: if it is an id, say --id "key"',) == found.warnings


def test_rows_without_a_label_are_left_out():
    found = learned(table(y=cycle("yes", None, "no", "", "no")))

    assert 24 == len(found.examples)
    assert [0, 2, 4, 5] == found.rows[:4].tolist()


@pytest.mark.parametrize(
    ("values", "plan", "task", "classes", "positive"),
    [
        (cycle("no", "yes", "no"), {}, "binary", ("no", "yes"), 1),
        (cycle("no", "yes", "yes"), {}, "binary", ("no", "yes"), 0),
        (cycle("no", "yes"), {}, "binary", ("no", "yes"), 1),
        (cycle("no", "yes", "no"), {"positive": "no"}, "binary", ("no", "yes"), 0),
        (cycle(0, 1, 0), {}, "binary", (0, 1), 1),
        (cycle(0.0, 1.0, None), {}, "binary", (0, 1), 1),
        (cycle(True, False, False), {"positive": "true"}, "binary", (False, True), 1),
        (cycle(2.5, 3.5), {}, "binary", (2.5, 3.5), 1),
        (cycle("a", "b", "c"), {}, "multiclass", ("a", "b", "c"), None),
        (cycle(3, 1, 2), {}, "multiclass", (1, 2, 3), None),
        (cycle(3.0, 1.0, 2.0, None), {}, "multiclass", (1, 2, 3), None),
        (cycle(3, 1, 2), {"task": "regression"}, "regression", (), None),
        (cycle(0, 1), {"task": "regression"}, "regression", (), None),
        (cycle(0.5, 1.5, 2.5), {}, "regression", (), None),
        (list(range(ROWS)), {}, "regression", (), None),
        # Numbers that a reader took for texts.
        (cycle("0", "1", "0", "?"), {}, "binary", (0, 1), 1),
        (cycle("3", "1", "2", "n/a"), {}, "multiclass", ("1", "2", "3", "n/a"), None),
        (cycle("3", "1", "2"), {}, "multiclass", ("1", "2", "3"), None),
        ([f"{row}e-120" for row in range(ROWS)], {}, "regression", (), None),
        ([str(row) if row % 5 else "NA" for row in range(ROWS)], {}, "regression", (), None),
    ],
)
def test_the_task_follows_from_the_label(values, plan, task, classes, positive):
    label = learned(table(y=values), **plan).examples.label

    assert (task, classes, positive) == (label.task, label.classes, label.positive)
    assert [type(value) for value in classes] == [type(value) for value in label.classes]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (cycle("0", "1", "?"), 'the label holds numbers, and "?" where one is missing'),
        ([f"{row}e-120" for row in range(ROWS)], "the label holds numbers as texts, and is taken as numbers"),
        (cycle("yes", "no", "Yes "), 'the label has "Yes " and "yes": are they one class, written differently?'),
    ],
)
def test_what_is_odd_about_the_label_is_said(values, said):
    assert said == learned(table(y=values)).warnings[0]


def test_numbers_that_were_read_as_texts_are_predicted_as_numbers():
    found = learned(table(y=[f"{row}e-120" if row % 3 else "NA" for row in range(ROWS)])).examples

    assert found.y.tolist() == [float(f"{row}e-120") for row in range(ROWS) if row % 3]


def test_one_is_the_positive_class():
    y = learned(table(y=cycle("no", "yes", "yes"))).examples.y

    assert [1, 0, 0] == y[:3].tolist()
    assert np.int64 == y.dtype


def test_a_guess_about_whole_numbers_is_said():
    (said,) = learned(table(y=cycle(3, 1, 2))).warnings

    assert "the label has 3 different whole numbers, taken for classes: --task regression if amounts" == said


@pytest.mark.parametrize(
    ("columns", "plan", "message"),
    [
        ({"y": [None] * ROWS}, {}, 't.csv: the label "y" is missing in all rows: name another with --label'),
        ({"y": ["a"] * ROWS}, {}, 't.csv: the label "y" is "a" in all rows: nothing can be learned from one value'),
        ({"y": ["a"] * 9 + [None] * 31}, {}, "t.csv: 9 rows have a label, and 10 are the fewest: give more rows"),
        (
            {"y": ["a"] * 37 + ["b"] * 3},
            {},
            ('t.csv: the label "y" is "b" in 3 rows, too few where 5 are needed: use fewer --folds, or give more rows'),
        ),
        (
            {"y": ["a"] * 38 + ["b", "c"]},
            {},
            (
                't.csv: the label "y" is "b" in 1 row, too few where 5 are needed, and so of 1 more: leave them '
                "out, or give more rows"
            ),
        ),
        (
            {"y": [f"v{row}" for row in range(ROWS)]},
            {},
            (
                't.csv: the label "y" has 40 different texts in 40 rows: is it the label? --task classification takes '
                "it all the same"
            ),
        ),
        (
            {"y": cycle("a", "b", "c")},
            {"task": "regression"},
            't.csv: the label "y" holds texts, and a regression predicts numbers: --task classification',
        ),
        ({}, {"positive": "maybe"}, 't.csv: the label "y" is never "maybe": --positive is one of "no", "yes"'),
        (
            {"y": cycle("a", "b", "c")},
            {"positive": "a"},
            't.csv: the label "y" has 3 classes: --positive is for two',
        ),
        (
            {"y": [*cycle(0.5, 1.5, 2.5)[:-1], math.inf]},
            {},
            't.csv: the label "y" is infinite in labelled row 40: mend or leave out that row',
        ),
        (
            {"x": [*cycle(1.0, 2.0)[:-1], -math.inf]},
            {},
            't.csv: row 40, column "x": an infinite number: mend it, or leave it empty',
        ),
        # A reader treats a column of numbers as texts because of one of these.
        (
            {"x": [*cycle("1", "2.5")[:-3], "NA", None, "-Infinity"]},
            {},
            't.csv: row 40, column "x": an infinite number: mend it, or leave it empty',
        ),
        (
            {"y": [*cycle("0.5", "1.5", "2.5")[:-1], "inf"]},
            {},
            't.csv: the label "y" is infinite in labelled row 40: mend or leave out that row',
        ),
        ({"x": [[1, 2]] * ROWS}, {}, 't.csv: column "x": its type is List(Int64), which no model takes: --drop "x"'),
        (
            {"y": [[1, 2]] * ROWS},
            {},
            't.csv: column "y": its type is List(Int64), which no model takes: name another with --label',
        ),
        ({}, {"label": "z"}, '--label "z": t.csv has no such column: it has n, y'),
        (
            {"colour": cycle("a", "b")},
            {"drop": ("color",)},
            '--drop "color": t.csv has no such column: did you mean "colour"?',
        ),
        ({}, {"ids": ("y",)}, '--id "y": it is the label: name another column'),
        ({}, {"drop": ("n",)}, "t.csv: no column is left to learn from: all are constant, empty or left out"),
        (
            {"t": [*cycle("2024-01-01", "2024-01-02")[:-1], None]},
            {"time": "t"},
            '--time "t": labelled row 40 of t.csv has neither a date nor a number there',
        ),
    ],
)
def test_what_cannot_be_learned_is_one_line(columns, plan, message):
    with pytest.raises(UsageError) as caught:
        learned(table(**columns), **plan)

    assert message == str(caught.value)


def test_a_word_that_also_means_infinite_is_a_category_among_words():
    assert "category" == card_of(cycle("inf", "sup", "max"))[0]["kind"]
    assert "category" == card_of(cycle("inf", "-inf"))[0]["kind"]


def test_a_table_that_is_named_infinite_counts_its_own_rows():
    values = [*cycle(1.0, 2.0)[:-1], math.inf]

    with pytest.raises(UsageError, match="row 40,"):
        learned(table(x=values, y=[None, *cycle("no", "yes", "no")[1:]]))


def test_a_thousand_classes_and_ten_thousand_categories_are_taken():
    rows = 20_000
    frame = table(
        rows,
        c=[f"c{row % 9_000 if row < 15_000 else row % 10}" for row in range(rows)],
        y=[f"k{row % 1000}" for row in range(rows)],
    )
    found = learned(frame)
    card = found.examples.card_columns[1]

    assert 1000 == found.examples.label.outputs
    assert 254 == len(card["categories"])
    assert {f"c{place}" for place in range(10)} <= set(card["categories"])
    assert sorted(card["categories"]) == card["categories"]
    assert any("has 9,000 different texts: the 254 most frequent are distinguished" in text for text in found.warnings)
    assert np.isnan(found.examples.matrix[:, 1]).any()


@pytest.mark.parametrize("name", ["with space", 'a "b" c', "🐟", "a,b", "é\n", "__proto__"])
def test_odd_names_are_names(name):
    found = learned(table(**{name: cycle("a", "b")}))

    assert ["n", name] == [feature.name for feature in found.examples.features]


def test_features_of_dates_have_names_of_their_own():
    found = learned(table(**{"d": cycle("2024-01-05", "2024-02-05"), "d.month": cycle(1, 2)}))

    assert ["n", "month of d", "d.weekday", "d.days", "d.month"] == [one.name for one in found.examples.features]


def test_groups_depend_on_their_value_alone():
    first = learned(table(g=cycle("a", "b", "c")), group="g")
    later = learned(table(g=cycle("c", "a")), group="g")

    assert first.examples.groups[0] == later.examples.groups[1]
    assert first.examples.groups[2] == later.examples.groups[0]
    assert 3 == len(set(first.examples.groups.tolist()))
    assert "id" == first.columns[1].kind


@pytest.mark.parametrize("values", [cycle(3, 1, 2), cycle("2024-01-03", "2024-01-01", "2024-01-02")])
def test_time_orders_the_rows(values):
    order = learned(table(t=values), time="t").examples.order

    assert [2, 0, 1] == np.argsort(np.argsort(order[:3])).tolist()


def hashes(frame):
    return row_hashes(frame, frame.columns, "t").tolist()


def test_a_row_has_its_hash_in_any_order_of_rows_and_columns():
    frame = table(x=cycle("a", None, "b"), when=cycle(*MOMENTS))
    shuffled = frame.reverse().select(reversed(frame.columns))

    assert hashes(frame) == list(reversed(hashes(shuffled)))
    assert hashes(frame)[:5] == hashes(frame.head(5))


def test_a_row_has_its_hash_whatever_the_file(tmp_path):
    frame = table(x=cycle("a", None, "b"), i=cycle(1, None, -3), flag=cycle(True, False), f=cycle(1.5, 0.0, -0.0))
    frame = frame.with_columns(pl.Series("when", cycle(*MOMENTS)), pl.Series("day", cycle(date(2024, 2, 29), None)))
    frame.write_parquet(tmp_path / "t.parquet")
    frame.write_csv(tmp_path / "t.csv")
    as_texts = pl.read_csv(tmp_path / "t.csv", infer_schema=False)

    assert hashes(frame) == hashes(pl.read_parquet(tmp_path / "t.parquet"))
    assert hashes(frame) == hashes(pl.read_csv(tmp_path / "t.csv"))
    assert hashes(frame) == hashes(as_texts)


def test_hashes_are_the_same_in_every_version():
    frame = pl.DataFrame({"a": [1, 2, None], "b": ["x", "7", None]})

    assert [4856159101665737008, 10569729097596424317, 39635552435129705] == hashes(frame)


def test_hashes_tell_values_and_columns_apart():
    frame = pl.DataFrame({"a": [1, 2, 2, 1], "b": [2, 1, 2, 1]})

    assert 4 == len(set(hashes(frame)))


def test_duplicates_are_counted_by_what_is_used():
    frame = table(14, id=list(range(14)), y=cycle("no", "yes", rows=14))
    doubled = pl.concat([frame, frame])

    assert 14 == learned(doubled, ids=("id",)).duplicates
    assert ("n", "y") == learned(doubled, ids=("id",)).hashed


def test_another_table_is_encoded_by_the_card():
    found = learned(table(x=cycle("a", "b"), d=cycle("2024-01-05", "2024-02-06")))
    frame = pl.DataFrame({"d": ["2024-02-06", "soon"], "x": ["b", "new"], "n": ["3", None], "more": [1, 2]})
    matrix = encode(frame, found.examples.card_columns, "later.csv")

    assert [3, 1, 2, 6, 1] == matrix[0][:5].tolist()
    assert np.isnan(matrix[1]).all()


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"n": ["3", "x", "x"]}, 'later.csv: row 2, column "n": "x" is not a number'),
        ({"n": [3.0, 4.0, math.inf]}, 'later.csv: row 3, column "n": an infinite number'),
        ({"m": [3, 4]}, 'later.csv: there is no column "n", which the model needs'),
    ],
)
def test_a_table_that_does_not_fit_the_card_is_refused(frame, message):
    with pytest.raises(UsageError) as caught:
        encode(pl.DataFrame(frame), learned(table()).examples.card_columns, "later.csv")

    assert message == str(caught.value)
