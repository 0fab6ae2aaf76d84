"""The embedded model: its predictions, its origin, and the statements of the docs about it."""

import json
import math
import re
from hashlib import sha256

import numpy as np
import pytest

from epkit.bank import score
from epkit.bank.score import CARD, COLUMNS, HERE, ROWS
from epkit.served.model import Model
from support.cli_harness import Cli
from support.places import ROOT

MODEL = Model.load(HERE)
TRAINED = json.loads((ROOT / "tests/bank/train.json").read_text(encoding="utf-8"))
START = " ".join((ROOT / "docs/start.md").read_text(encoding="utf-8").split())


def columns(rows):
    return {name: [row[name] for row in rows] for name in COLUMNS}


def yes(rows):
    return MODEL.probabilities(score.encode(columns(rows)))[:, 1]


def test_the_course_rows_are_told_apart_with_room_to_spare():
    first, second = yes(ROWS)

    assert first > MODEL.threshold + 0.1
    assert second < MODEL.threshold - 0.1


def test_a_row_scores_the_same_alone_and_among_thousands():
    rows = [{**ROWS[i % 2], "duration": i, "age": 18 + i % 70} for i in range(5000)]
    some = [0, 1, 2047, 2048, 4095, 4096, 4999]

    assert [yes([rows[i]])[0] for i in some] == yes(rows)[some].tolist()


def test_the_data_sets_noisy_decimals_score_as_the_clean_ones():
    noisy = [{**row, "cons.price.idx": 92.89299999999999, "euribor3m": 1.2990000000000002} for row in ROWS]

    assert yes(ROWS).tolist() == yes(noisy).tolist()


def test_what_is_missing_or_unseen_is_nan():
    row = {**ROWS[0], "job": "astronaut", "euribor3m": math.nan}
    found = [list(COLUMNS)[place] for place in np.flatnonzero(np.isnan(score.encode(columns([row]))[0]))]

    assert ["job", "euribor3m"] == found


def test_the_columns_are_those_of_the_data_set_with_their_types():
    whole = ["age", "duration", "campaign", "pdays", "previous"]
    real = ["emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"]

    assert whole == [name for name, kind in COLUMNS.items() if kind is int]
    assert real == [name for name, kind in COLUMNS.items() if kind is float]
    assert 20 == len(COLUMNS)


def test_the_stored_model_is_small():
    assert (HERE / "model.npz").stat().st_size + (HERE / "card.json").stat().st_size < 150_000


def test_the_report_of_the_training_is_that_of_the_stored_model():
    stored = {name: sha256((HERE / name).read_bytes()).hexdigest() for name in ("model.npz", "card.json")}

    assert stored == {name: TRAINED["artefact"]["sha256"][name] for name in stored}


@pytest.mark.parametrize(
    "words",
    [
        f"{TRAINED['data']['rows']:,} rows",
        f"({TRAINED['data']['test_rows']:,} rows)",
        "AUC {AUC}",
        "at the threshold of {threshold:.2f} accuracy {accuracy_at_threshold} and F1 {f1}",
        "probabilities {first:.3f} and {second:.3f}",
        "{trees} boosted trees",
        "right for {no:.3f}",
    ],
)
def test_what_the_docs_say_of_it_is_what_the_training_reported(words):
    first, second = yes(ROWS)
    with np.load(HERE / "model.npz") as arrays:
        trees = len(arrays["roots"])
    (negatives, _) = (sum(counts) for counts in TRAINED["test"]["confusion"]["counts"])
    share = negatives / TRAINED["test"]["rows"]
    figures = {name: f"{figure['value']:.3f}" for name, figure in TRAINED["test"]["metrics"].items()}

    assert (
        words.format(**figures, threshold=MODEL.threshold, first=first, second=second, trees=trees, no=share) in START
    )


def test_where_the_data_come_from_is_said():
    said = score.__doc__

    assert "doi 10.24432/C5K306, CC BY 4.0" in said
    assert "doi 10.24432/C5K306, CC BY 4.0" in START


def test_the_command_that_is_named_makes_the_same_model(data_set, tmp_path):
    pytest.importorskip("lightgbm", reason="needs the extra train")
    versions = re.search(r"LightGBM (\S+) and scikit-learn (\S+):", score.__doc__)
    command = re.search(r"epkit (train .*)\n", score.__doc__)[1].split()
    (tmp_path / command[1]).symlink_to(data_set)
    ran = Cli(directory=tmp_path, patience_s=150)(*command)

    assert 0 == ran.code
    card = json.loads((tmp_path / "model/card.json").read_text(encoding="utf-8"))
    if (card["versions"]["lightgbm"], card["versions"]["scikit-learn"]) != versions.groups():
        pytest.skip("other versions of LightGBM and scikit-learn may choose other splits")
    assert (
        CARD["versions"]["numpy"] != card["versions"]["numpy"]
        or (HERE / "model.npz").read_bytes() == (tmp_path / "model/model.npz").read_bytes()
    )
