"""Drift is found in tables that drifted, and almost never in tables that did not."""

import io
import json

import numpy as np
import polars as pl
import pytest

from epkit.core.drift.document import to_document
from epkit.core.drift.drift import LEVEL, drift
from epkit.core.drift.reference import Reference
from epkit.core.train.card import card_bytes
from epkit.core.train.sample import sample_table
from epkit.errors import UsageError
from support.shared import shared
from support.trained import card_of, learned_from

ECONOMY = ["emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"]


@pytest.fixture(scope="module")
def sample():
    """The generated table in the style of the course's, and its two regimes."""
    table = pl.read_csv(io.StringIO(sample_table(rows=9000, seed=7)))
    late = pl.col("nr.employed") < 5191
    return table, table.filter(~late), table.filter(late)


@pytest.fixture(scope="module")
def course():
    """The course's own table, its early and its late rows."""
    table = pl.read_csv(shared("data/bank-marketing/bankmarketing_train.csv.gz"))
    late = pl.col("nr.employed") < 5191
    return table.filter(~late), table.filter(late)


def card_reference(table):
    return Reference.of_card(json.loads(card_bytes(card_of(learned_from(table)))))


def dealt(table, old, new, seed):
    """Return two sides of one table, drawn without replacement."""
    places = np.random.default_rng(seed).permutation(table.height)[: old + new]
    return table[places[:old]], table[places[old:]]


def test_the_economy_that_turned_is_found_in_a_hundred_rows(sample):
    _, early, late = sample
    found = drift(card_reference(early), late[:100])

    assert found.found
    assert set(ECONOMY) <= {one.column for one in found.columns if one.found}
    assert found.columns[0].column in ECONOMY
    ratios = [one.psi / one.threshold for one in found.columns if one.found]
    assert sorted(ratios, reverse=True) == ratios
    assert (21, ()) == (found.tests, found.schema)
    assert any('column "month"' in remark and '"apr"' in remark for remark in found.remarks)


@pytest.mark.long
def test_false_alarms_of_all_columns_together_are_at_most_five_percent(sample):
    alarms = dict.fromkeys((100, 300, 1000, 3000), 0)
    for rows in alarms:
        for trial in range(20):
            old, new = dealt(sample[0], max(rows, 1000), rows, [rows, trial])
            alarms[rows] += drift(Reference.of(old, label="y"), new, seed=trial).found

    assert sum(alarms.values()) <= 4, alarms  # of 80; the seeds are fixed
    assert max(alarms.values()) <= 2, alarms


def test_a_card_gives_the_verdicts_that_its_table_gives(sample):
    old, new = dealt(sample[0], 1000, 300, 1)
    found, other = drift(card_reference(old), new), drift(Reference.of(old, label="y"), new)

    assert (found.columns, found.label) == (other.columns, other.label)


def test_values_that_are_nearly_all_different_are_no_drift():
    def odd(rows, seed):
        rng = np.random.default_rng([seed, 5])
        return pl.DataFrame(
            {
                "zip": [f"z{value}" for value in rng.integers(0, 800, rows)],
                "word": [f"w{value}" for value in rng.zipf(1.5, rows)],
                "client": [f"c{value}" for value in rng.integers(0, 10**12, rows)],
                "points": rng.integers(0, 50, rows),
                "rare": (rng.random(rows) < 0.004).astype(int),
                "gap": [None if value > 1.8 else value for value in rng.normal(size=rows).tolist()],
            }
        )

    alarms = dict.fromkeys((100, 1000), 0)
    for rows in alarms:
        for trial in range(20):
            both = odd(rows + 1000, trial)
            alarms[rows] += drift(Reference.of(both[:rows]), both[rows:], seed=trial).found

    assert all(found <= 1 for found in alarms.values()), alarms


def test_of_many_values_in_a_card_the_most_frequent_are_no_drift():
    rng = np.random.default_rng(3)
    table = pl.DataFrame(
        {
            "zip": [f"z{value}" for value in rng.integers(0, 900, 26_000)],
            "word": [f"w{value}" for value in rng.zipf(1.4, 26_000)],
            "y": rng.choice(["no", "yes"], 26_000),
        }
    )

    assert not drift(card_reference(table[:20_000]), table[20_000:]).found


def test_the_courses_drift_is_found_at_a_hundred_late_rows(course):
    early, late = course
    reference = card_reference(early)
    found = [drift(reference, dealt(late, 100, 0, seed)[0], seed=seed) for seed in range(10)]

    assert all(one.found for one in found)
    assert sum(one.label.found for one in found) >= 5
    assert all(
        {"emp.var.rate", "euribor3m", "nr.employed", "month"} <= {c.column for c in one.columns if c.found}
        for one in found
    )


@pytest.mark.long
def test_of_a_hundred_splits_of_one_regime_at_least_95_give_no_alarm(course):
    early = course[0]
    alarms = 0
    for trial in range(100):
        old, new = dealt(early, 3000, 300, trial)
        alarms += drift(Reference.of(old, label="y"), new, seed=trial).found

    assert alarms <= 5


def test_the_same_arguments_give_the_same_report(sample):
    _, early, late = sample
    one, other = (to_document(drift(Reference.of(early, label="y"), late, seed=3)) for _ in range(2))

    assert one == other
    assert one != to_document(drift(Reference.of(early, label="y"), late, seed=4))


def test_a_threshold_depends_on_no_other_column(sample):
    _, early, _ = sample
    old, new = early[:1000], early[1000:1300]
    every = drift(Reference.of(old), new)
    turned = drift(Reference.of(old.select(reversed(old.columns))), new)

    assert every == turned


def test_a_table_that_is_cut_in_two_by_a_date_drifts_in_its_days_and_not_in_its_weekdays():
    days = [f"{np.datetime64('2024-01-01') + np.timedelta64(day, 'D')}" for day in range(364) for _ in range(3)]
    table = pl.DataFrame({"day": days, "x": [1, 2, 3] * 364})
    found = {(one.column, one.part): one.found for one in drift(Reference.of(table[:700]), table[700:]).columns}

    assert found[("day", "days")]
    assert not found[("day", "weekday")]
    assert not found[("x", None)]


def test_a_value_of_its_own_and_the_least_one_are_seen_to_move():
    table = pl.DataFrame({"pdays": [999] * 97 + [3, 6, 9], "rate": [5191.0] * 50 + [5228.1] * 50})
    moved = pl.DataFrame({"pdays": [999] * 60 + [6] * 40, "rate": [5099.1] * 50 + [5228.1] * 50})
    found = drift(Reference.of(table), moved)

    assert {"pdays": True, "rate": True} == {one.column: one.found for one in found.columns}


def test_missing_and_unseen_values_count():
    old = pl.DataFrame({"n": [float(value % 10) for value in range(300)], "c": ["a", "b", "c"] * 100})
    new = pl.DataFrame(
        {"n": [None if value % 3 else 1.0 * (value % 10) for value in range(300)], "c": ["a", "z", "c"] * 100}
    )
    columns = {one.column: one for one in drift(Reference.of(old), new).columns}

    assert columns["n"].found
    assert ("missing", 0, 200) == (columns["n"].ranges[-1], columns["n"].old[-1], columns["n"].new[-1])
    assert columns["c"].found
    assert (0, 100) == tuple(side[columns["c"].ranges.index("z")] for side in (columns["c"].old, columns["c"].new))


def test_rows_are_counted_each_once(sample):
    _, early, late = sample
    found = drift(Reference.of(early, label="y"), late)

    assert {(early.height, late.height)} == {(sum(one.old), sum(one.new)) for one in (*found.columns, found.label)}


def test_changes_of_the_schema_are_said_and_are_no_drift():
    old = pl.DataFrame(
        {
            "n": [1.5, 2.5] * 60,
            "c": ["a", "b"] * 60,
            "d": ["2024-01-01", "2024-02-01"] * 60,
            "gone": [1, 2] * 60,
            "same": [1, 2] * 60,
        }
    )
    new = pl.DataFrame(
        {
            "n": ["1.5", "much"] * 60,
            "c": [1, 2] * 60,
            "d": ["2024-01-01", "soon"] * 60,
            "more": [1, 2] * 60,
            "same": [1, 2] * 60,
        }
    )
    found = drift(Reference.of(old), new, name="new.csv")

    assert (
        'column "gone" is not in new.csv',
        'column "more" is new in new.csv',
        'new.csv: row 2, column "n": "much" is not a number',
        'column "c" held texts, and holds other values now, as "1"',
        'column "d": 60 of 120 values are no dates, as "soon"',
    ) == found.schema
    assert ["same"] == [one.column for one in found.columns]
    assert (False, False) == (found.found, found.passed)


def test_a_column_that_the_model_left_out_is_not_new(sample):
    _, early, _ = sample
    table = early.with_columns(pl.lit("2024").alias("batch"))
    card = json.loads(card_bytes(card_of(learned_from(table))))

    assert () == drift(Reference.of_card(card), table[:500]).schema


def test_numbers_and_booleans_as_texts_are_the_values_that_they_are():
    old = pl.DataFrame({"flag": [True, False] * 60, "n": [1, 2] * 60, "k": ["1", "x"] * 60})
    new = pl.DataFrame({"flag": ["True", "false"] * 60, "n": ["1", "2"] * 60, "k": ["1", "x"] * 60})

    assert drift(Reference.of(old), new).passed


def test_a_new_table_without_labels_is_compared_without():
    old = pl.DataFrame({"x": [1, 2] * 60, "y": ["a", "b"] * 60})

    assert drift(Reference.of(old, label="y"), old.drop("y")).label is None
    assert drift(Reference.of(old, label="y"), old.with_columns(y=None)).label is None
    assert () == drift(Reference.of(old, label="y"), old.drop("y")).schema


def test_a_class_that_is_new_is_drift_of_the_label():
    old = pl.DataFrame({"x": [1, 2] * 200, "y": [0, 1] * 200})
    new = pl.DataFrame({"x": [1, 2] * 200, "y": [0.0, 2.0] * 200})
    found = drift(Reference.of(old, label="y"), new)

    assert found.label.found
    assert ("0", "1", "2") == tuple(sorted(found.label.ranges))


def test_a_classifier_has_its_part_of_the_level():
    old = pl.DataFrame({"x": [value % 7 for value in range(200)]})
    asked = []

    def classifier(matrix, is_new, folds, categories, seed):
        asked.append((matrix.shape, categories, seed))
        return matrix[:, 0] + 10 * is_new

    found = drift(Reference.of(old), old, seed=5, tell_apart=classifier)

    assert [((400, 1), (0,), 5)] == asked
    assert (2, LEVEL) == (found.tests, found.level)
    assert found.classifier.found
    assert found.found
    assert not found.columns[0].found


def test_tables_without_a_column_in_common_are_refused():
    only_label = Reference.of(pl.DataFrame({"y": [1, 2]}), label="y")

    with pytest.raises(UsageError, match=r"new\.csv has no column that could be compared with the table"):
        drift(only_label, pl.DataFrame({"y": [1, 2]}), name="new.csv")
    with pytest.raises(UsageError, match="0 rows"):
        drift(only_label, pl.DataFrame({"y": []}))
