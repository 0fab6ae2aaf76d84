"""The course's own table: a model of its early rows, a drift in the late rows, and a new model that is better there.

`nr.employed` orders the rows in time. The file itself is shuffled; in the early rows the economy is calm.
"""

import json

import numpy as np
import polars as pl
import pytest

from epkit.core.train import intervals
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Label
from epkit.served.model import Model
from support.cli_harness import Cli
from support.shared import shared

pytestmark = pytest.mark.long

STORE = ".epkit/pipelines/bank"
CONFIG = """\
[pipelines.bank]
data = "bank.csv"
label = "y"
train = { runs = 6, workers = 2 }
gate = ["AUC>=0.8", "AUC>=base-0.002"]
"""
EARLY = 5191.0
"""Early rows have at least this value of `nr.employed`."""


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """The reports of two runs, on the early rows and on all, and the directories of their models."""
    pytest.importorskip("lightgbm", reason="needs the extra train")
    table = pl.read_csv(shared("data/bank-marketing/bankmarketing_train.csv.gz"))
    directory = tmp_path_factory.mktemp("story")
    (directory / "epkit.toml").write_text(CONFIG)
    cli = Cli(directory=directory, environ={"LOGNAME": "ada"}, patience_s=600)
    found = []
    for rows in (table.filter(pl.col("nr.employed") >= EARLY), table):
        rows.write_csv(directory / "bank.csv")
        ran = cli("pipeline", "run", "bank", "--if-needed", "--format", "json")
        assert 0 == ran.code, ran.err
        report = json.loads(ran.out)
        trained = next(step for step in report["steps"] if step["step"] == "train")
        found.append((report, directory / STORE / "cache" / trained["key"] / "model"))
    return table, found


def test_the_drift_is_found_and_a_new_model_is_trained_and_passes(story):
    _, ((first, _), (second, _)) = story

    assert ("ok", True, None) == (first["state"], first["switched"], first["need"])
    assert ("ok", True, True) == (second["state"], second["switched"], second["need"]["retrain"])
    assert second["need"]["reasons"][0].startswith("drift: ")
    assert any(reason.startswith("the champion misses AUC>=0.8 on ") for reason in second["need"]["reasons"])


def test_the_gate_compares_on_late_rows_that_neither_model_was_trained_on(story):
    _, (_, (second, _)) = story
    (gate,) = [step["result"] for step in second["steps"] if step["step"] == "gate"]
    champion, late = gate["champion"], gate["champion"]["new"]

    assert champion["rows"] == gate["rows"]
    assert 2000 < late["rows"] < 2400  # a fifth of the 10,853 late rows
    assert late["figures"]["AUC"]["value"] < 0.82
    assert late["differences"]["AUC"]["ci95"][0] > 0.05
    assert champion["differences"]["AUC"]["ci95"][0] > 0


def test_the_new_model_is_better_on_late_rows_and_no_worse_on_early_ones(story):
    """The same figures, computed without the gate, on the rows that the new training marked as test rows."""
    table, ((_, old), (_, new)) = story
    judged = pl.read_parquet(new.parent / "model.run" / "predictions.parquet")
    rows = table[(judged.filter(pl.col("judged") == "test")["row"] - 1).to_numpy()]
    early = (rows["nr.employed"] >= EARLY).to_numpy()
    models = [Model.load(path) for path in (new, old)]
    for part, low, high in ((~early, 0.05, 0.3), (early, -0.01, 0.01)):
        one, other = (_answered(model, rows.filter(part)) for model in models)
        difference = intervals.difference("AUC", one, other)

        assert difference is not None
        assert low < difference.value < high


def _answered(model: Model, rows: pl.DataFrame) -> Metrics:
    label = Label(name="y", task="binary", classes=("no", "yes"), positive=1)
    chances = np.clip(model.predict_proba({e.name: rows[e.name].to_list() for e in model.encoders}), 1e-12, 1 - 1e-12)
    margins = np.log(chances[:, 1:] / chances[:, :1])
    return Metrics((rows["y"] == "yes").to_numpy().astype(np.int64), margins, label)
