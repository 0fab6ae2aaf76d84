import json

import numpy as np
import pytest

from epkit.bank.model import COLUMNS, HERE, BankModel, encode
from epkit.bank.score import ROWS

MODEL = BankModel.load()


def columns(rows):
    return {name: [row[name] for row in rows] for name in COLUMNS}


def test_the_first_course_row_is_above_the_threshold_and_the_second_below():
    yes = MODEL.probability(columns(ROWS))

    assert (yes >= MODEL.threshold).tolist() == [True, False]


def test_the_course_rows_are_told_apart_with_room_to_spare():
    yes = MODEL.probability(columns(ROWS))

    assert yes[0] - MODEL.threshold > 0.1
    assert MODEL.threshold - yes[1] > 0.1


def test_a_row_scores_the_same_alone_and_among_thousands():
    rows = [{**ROWS[i % 2], "duration": i, "age": 18 + i % 70} for i in range(5000)]
    together = MODEL.probability(columns(rows))
    alone = [MODEL.probability(columns([rows[i]]))[0] for i in (0, 1, 2047, 2048, 4095, 4096, 4999)]

    assert alone == together[[0, 1, 2047, 2048, 4095, 4096, 4999]].tolist()


def test_the_data_sets_noisy_decimals_score_as_the_clean_ones():
    noisy = [{**row, "cons.price.idx": 92.89299999999999, "euribor3m": 1.2990000000000002} for row in ROWS]

    assert MODEL.probability(columns(ROWS)).tolist() == MODEL.probability(columns(noisy)).tolist()


def test_no_rows_have_no_probabilities():
    assert MODEL.probability(columns([])).tolist() == []


def test_a_category_nobody_has_seen_counts_as_missing():
    row = {**ROWS[0], "job": "astronaut"}
    matrix = encode(columns([row]), MODEL.categories)

    assert [list(COLUMNS).index("job")] == np.flatnonzero(np.isnan(matrix[0])).tolist()


def test_a_missing_value_goes_where_the_trees_say():
    # One split: missing goes left, to the leaf that says no.
    arrays = {
        "roots": np.array([0]),
        "depth": 1,
        "feature": np.array([0, 0, 0]),
        "split": np.array([40.0, 0.0, 0.0]),
        "missing_left": np.array([True, False, False]),
        "left": np.array([1, 1, 2]),
        "right": np.array([2, 1, 2]),
        "value": np.array([0.0, -30.0, 30.0]),
    }
    stump = BankModel(categories=MODEL.categories, threshold=0.5, baseline=0.0, **arrays)
    rows = [{**ROWS[0], "age": age} for age in (40, 41, float("nan"))]

    assert (stump.probability(columns(rows)) >= 0.5).tolist() == [False, True, False]


def test_a_missing_column_is_named():
    table = columns(ROWS)
    del table["duration"]

    with pytest.raises(KeyError, match="duration"):
        MODEL.probability(table)


def test_the_stored_model_is_small():
    assert (HERE / "model.npz").stat().st_size + (HERE / "model.json").stat().st_size < 300_000


def test_the_card_says_where_the_data_come_from():
    source = json.loads((HERE / "model.json").read_text(encoding="utf-8"))["source"]

    assert (source["doi"], source["licence"]) == ("10.24432/C5K306", "CC BY 4.0")
