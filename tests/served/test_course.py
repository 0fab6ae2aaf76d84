"""A model of the course's own table; skipped if the data set is not next to the repository."""

import json

import numpy as np
import polars as pl
import pytest

from epkit.files.model_directory import npz_bytes
from epkit.served.model import Arrays, Model
from support.places import ROOT
from support.trained import booster, card_of, learned_from, lightgbm, write_model

MOST_BYTES = 1 << 20
MEMBERS = (
    {"rounds": 300, "learning_rate": 0.03, "num_leaves": 15, "min_data_in_leaf": 40},
    {"rounds": 150, "learning_rate": 0.04, "num_leaves": 31, "extra_trees": True},
)


@pytest.fixture(scope="module")
def table():
    from support.shared import shared

    return pl.read_csv(shared("data/bank-marketing/bankmarketing_train.csv.gz"))


@pytest.fixture(scope="module")
def course(table, tmp_path_factory):
    """The learned table, the members of a vote, and the directory of the first member."""
    lightgbm()
    from epkit.learners.exporting import from_lightgbm

    learned = learned_from(table)
    members = [booster(learned, **member) for member in MEMBERS]
    arrays = [from_lightgbm(member, learned.examples.matrix[:200]) for member in members]
    directory = write_model(tmp_path_factory.mktemp("models") / "bank", learned, arrays[0])
    return learned, members, arrays, directory


def test_the_table_is_read_as_what_it_is(course):
    learned, *_ = course
    kinds = [card["kind"] for card in learned.examples.card_columns]

    assert (10, 10) == (kinds.count("number"), kinds.count("category"))
    assert (32_950, 9) == (len(learned.examples), learned.duplicates)
    assert ("no", "yes") == learned.examples.label.classes
    assert 3692 == learned.examples.y.sum()
    assert () == learned.warnings


def test_every_row_has_the_margin_that_lightgbm_gives_it(course):
    learned, members, arrays, _ = course
    matrix = learned.examples.matrix
    for member, own in zip(members, arrays, strict=True):
        found = Arrays(own).margins(matrix)[:, 0]

        assert np.abs(found - member.predict(matrix, raw_score=True)).max() <= 1e-9


def test_the_courses_two_rows_are_yes_and_no(course):
    *_, directory = course
    rows = json.loads((ROOT / "payloads" / "bank-two-rows.json").read_text())["data"]
    found = Model.load(directory).predict({name: [row[name] for row in rows] for name in rows[0]})

    assert ["yes", "no"] == found


def test_serving_encodes_every_row_as_training_did(course, table):
    learned, *_, directory = course
    served = Model.load(directory).encode({name: table[name].to_list() for name in table.columns})

    assert np.array_equal(learned.examples.matrix, served, equal_nan=True)


def test_a_model_is_small(course):
    from epkit.served.model import combine

    learned, _, arrays, directory = course
    vote = npz_bytes(combine([(0.2, arrays[0])] * 5))

    assert sum(path.stat().st_size for path in directory.iterdir()) < 200_000
    assert len(vote) + len(json.dumps(card_of(learned))) < MOST_BYTES
