"""The generated table: always equal, in the style of the course's, and with a label that can be learned."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from epkit.core.train.sample import ROWS, sample_table

PAYLOADS = Path(__file__).parents[3] / "payloads"


@pytest.fixture
def columns():
    """Return the course's columns, and their types."""
    return pytest.importorskip("epkit.bank.score", reason="needs the extra local", exc_type=ImportError).COLUMNS


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_it_is_always_the_same():
    assert sample_table() == sample_table()
    assert sample_table(seed=1) != sample_table(seed=2)
    assert sample_table(rows=10).splitlines()[0] == sample_table().splitlines()[0]


def test_it_has_the_columns_of_the_course_and_their_types(columns):
    rows = read(sample_table())

    assert ROWS == len(rows)
    assert [*columns, "y"] == list(rows[0])
    for name, kind in columns.items():
        assert {kind} == {type(kind(row[name])) for row in rows}


def test_the_course_s_rows_hold_no_word_that_it_lacks():
    rows = read(sample_table())
    for row in json.loads((PAYLOADS / "bank-two-rows.json").read_text())["data"]:
        assert all(value in {each[name] for each in rows} for name, value in row.items() if isinstance(value, str))


def test_one_in_ten_says_yes_and_those_spoke_longer():
    rows = read(sample_table())
    yes = np.array([row["y"] == "yes" for row in rows])
    duration = np.array([int(row["duration"]) for row in rows])

    assert {"yes", "no"} == {row["y"] for row in rows}
    assert 0.08 < yes.mean() < 0.13
    assert duration[yes].mean() > 1.8 * duration[~yes].mean()
