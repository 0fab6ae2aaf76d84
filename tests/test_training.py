"""`epkit train` from Python: its arguments, its results, and the model with its predictions and explanations."""

import asyncio
import datetime
import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import polars as pl
import pytest

import epkit
from epkit.cli.commands import train as command
from epkit.core.hosting.azure_jobs import AUTOML_PICKLE
from epkit.core.json.writing import dumps
from epkit.core.train.document import to_document
from epkit.flows.train.options import DEFAULTS
from epkit.served.model import Model
from support import train_reports

pytest.importorskip("lightgbm", reason="needs the extra train")

QUICK = {"runs": 3, "holdout": 0.25, "workers": 1}
BANK = {**QUICK, "threshold": "f1", "positive": "yes"}
ROWS = 240
BEGAN = datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - as tables have it


def columns(rows=ROWS, seed=0):
    """Make a table with every kind of column; `hole` has missing values, `age` and `job` have none."""
    g = np.random.default_rng(seed)
    found = {
        "age": g.integers(18, 90, rows).tolist(),
        "job": g.choice(["admin.", "student", "retired"], rows).tolist(),
        "hole": [
            None if lacks else value
            for lacks, value in zip(g.random(rows) < 0.2, g.normal(size=rows).tolist(), strict=True)
        ],
        "flag": (g.random(rows) < 0.5).tolist(),
        "when": [BEGAN + datetime.timedelta(hours=7 * n) for n in range(rows)],
    }
    score = np.array(found["age"]) / 20 + np.array(found["flag"]) * 2 + np.isin(found["job"], ["student"])
    found["y"] = np.where(score + g.normal(size=rows) * 0.3 > 4, "yes", "no").tolist()
    return found


def objects(table):
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def pandas_of_its_own_types(table):
    frame = pd.DataFrame(table, index=[f"r{n}" for n in range(len(table["y"]))])
    return frame.astype({"age": "Int64", "job": "category", "flag": "boolean"})


KINDS = {
    "pandas": pd.DataFrame,
    "pandas with types of its own": pandas_of_its_own_types,
    "polars": pl.DataFrame,
    "lazy": pl.LazyFrame,
    "objects": objects,
    "columns": dict,
    "columns of numpy": lambda table: {name: np.array(values, object) for name, values in table.items()},
}


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("trained")


@pytest.fixture(scope="module")
def training(directory):
    return epkit.train(pd.DataFrame(columns()), "y", out=directory / "model", **BANK)


@pytest.fixture(scope="module")
def model(training):
    return training.model


def deployed(model, table):
    """Return the predictions of the endpoint's scorer for rows in the form of a request, and the probabilities."""
    scorer = Model.load(model.directory)
    plain = json.loads(json.dumps({name: table[name] for name in model.columns}, default=str))
    return scorer.predict(plain), scorer.predict_proba(plain)


def test_the_defaults_are_those_of_the_command():
    python = inspect.signature(epkit.train).parameters
    shell = inspect.signature(command.train).parameters
    renamed = {"ids": "id_", "gates": "gate", "exports": "export"}
    only_printed = {"format_", "html", "junit", "summary", "dry_run", "quiet", "no_wait", "cancel"}

    assert set(shell) - only_printed == {renamed.get(name, name) for name in python}
    for name, parameter in python.items():
        assert (shell[renamed.get(name, name)].default or None) == (parameter.default or None), name
        if hasattr(DEFAULTS, name) and name not in ("table", "label"):
            assert getattr(DEFAULTS, name) == parameter.default


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_every_kind_are_answered_as_the_endpoint_answers_them(model, kind):
    table = columns(30, seed=5)
    rows = KINDS[kind](table)
    answers, probabilities = deployed(model, table)

    assert answers == list(model.predict(rows))
    assert np.asarray(model.predict_proba(rows)) == pytest.approx(probabilities, abs=1e-12)
    assert {"no", "yes"} == set(answers)


@pytest.mark.parametrize("kind", ["pandas with types of its own", "polars", "columns"])
def test_a_frame_of_every_kind_trains_the_same_model(training, directory, kind):
    again = epkit.train(KINDS[kind](columns()), label="y", out=directory / kind, **BANK)

    assert again.report.data.columns == training.report.data.columns
    assert again.model.predict(columns(50, seed=9)).tolist() == training.model.predict(columns(50, seed=9)).tolist()


def test_answers_come_as_the_rows_came(model):
    table = columns(4, seed=5)
    frame = pandas_of_its_own_types(table)
    series, chances = model.predict(frame), model.predict_proba(frame)

    assert ("y", ["r0", "r1", "r2", "r3"]) == (series.name, list(series.index))
    assert (["no", "yes"], ["r0", "r1", "r2", "r3"]) == (list(chances.columns), list(chances.index))
    assert isinstance(model.predict(pl.DataFrame(table)), pl.Series)
    assert ["no", "yes"] == model.predict_proba(pl.DataFrame(table)).columns
    assert np.ndarray is type(model.predict(objects(table)))
    assert (4, 2) == model.predict_proba(objects(table)).shape
    assert ["base", *model.columns] == list(model.explain(table))


def test_the_threshold_that_was_chosen_is_applied(training):
    value = training.report.threshold.value
    rows = pd.DataFrame(columns(200, seed=3))

    assert 0.5 != value
    likely = training.model.predict_proba(rows)["yes"] >= value
    assert list(np.where(likely, "yes", "no")) == list(training.model.predict(rows))


def test_columns_may_be_in_another_order_with_others_among_them_or_missing_where_training_lacked_them(model):
    frame = pd.DataFrame(columns(40, seed=4))
    expected = model.predict_proba(frame)

    assert expected.equals(model.predict_proba(frame[frame.columns[::-1]].drop(columns="y").assign(extra=1)))
    without = model.predict_proba(frame.drop(columns="hole"))
    assert without.equals(model.predict_proba(frame.assign(hole=None)))
    unseen = model.predict_proba(frame.assign(job="astronaut"))
    assert unseen.shape == expected.shape
    assert not unseen.equals(expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="age"), 'the rows: there is no column "age"'),
        (lambda frame: frame.rename(columns={"hole": "holl"}), 'the rows: there is no column "hole": did you mean "holl"?'),
        (lambda frame: frame.assign(age=frame["age"].where(frame.index != 1)), 'the rows: row 2, column "age": missing, and'),
        (lambda frame: frame.assign(job=[None, *frame["job"][1:]]), 'the rows: row 1, column "job": missing, and'),
        (lambda frame: frame.assign(age=["x", *frame["age"][1:]]), 'the rows: row 1, column "age": "x" is not a number'),
        (lambda frame: frame.assign(age=np.inf), 'the rows: row 1, column "age": an infinite number'),
        (lambda frame: frame.assign(when="soon"), 'the rows: row 1, column "when": "soon" is not a date'),
        (lambda frame: frame["age"], "the rows: Series is not known: give a frame"),
        (lambda frame: frame.to_numpy(), "the rows: ndarray is not known: give a frame"),
        (lambda frame: frame.iloc[:, [0, 0]], 'the frame: two columns are called "age": rename one'),
        (lambda _: pl.Series([1]), "the rows: a single column: give a frame"),
        (lambda _: {"age": 3}, 'the rows: column "age" is no list of values'),
        (lambda _: {"age": [3], "job": []}, "the rows: the columns are of different lengths"),
        (lambda _: [{"age": object()}], 'the rows: column "age": no values of a table'),
        (lambda _: 5, "the rows: int is not known"),
    ],
)  # fmt: skip
def test_rows_that_the_model_cannot_read_are_refused_in_a_line(model, change, said):
    with pytest.raises(epkit.UsageError) as raised:
        model.predict(change(pd.DataFrame(columns(3))))

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("rows", [pd.DataFrame(columns(3))[:0], pl.DataFrame(columns(3)).clear(), [], {}], ids=type)
def test_of_no_rows_there_are_no_answers(model, rows):
    assert [0, 0, 0] == [
        len(model.predict(rows)),
        len(model.predict_proba(rows)),
        len(pd.DataFrame(model.explain(rows))),
    ]


def test_contributions_sum_to_the_log_odds_and_the_typical_row_has_none(model):
    frame = pd.DataFrame(columns(60, seed=8))
    chances, explained = model.predict_proba(frame), model.explain(frame)

    assert list(explained.index) == list(frame.index)
    assert np.log(chances["yes"] / chances["no"]).to_numpy() == pytest.approx(
        explained.sum(axis=1).to_numpy(), abs=1e-9
    )
    assert 1 == explained["base"].nunique()
    means = explained.drop(columns="base").abs().mean()
    assert {"age", "flag"} == set(means.nlargest(2).index)
    one = model.explain(frame.iloc[[7]])
    assert explained.iloc[7].to_numpy() == pytest.approx(one.iloc[0].to_numpy(), abs=1e-9)
    typical = model.explain(pl.DataFrame([model.card["example"]])).drop("base")
    assert (0.0,) * len(model.columns) == typical.row(0)


def test_many_classes_and_numbers_are_answered_and_explained(directory):
    g = np.random.default_rng(1)
    frame = pd.DataFrame({"base": g.normal(size=200), "b": g.normal(size=200)})
    many = epkit.train(
        frame.assign(kind=np.digitize(frame["base"], [-0.5, 0.5])), "kind", out=directory / "many", **QUICK
    )
    numbers = epkit.train(frame.assign(price=frame["base"] * 1000), "price", out=directory / "numbers", **QUICK)
    answers, chances = many.model.predict(frame), many.model.predict_proba(frame)

    assert ((0, 1, 2), np.int64) == (many.model.classes, answers.dtype)
    assert list(chances.idxmax(axis=1)) == list(answers)
    of_two, own = many.model.explain(frame, of=2), many.model.explain(frame)
    assert ["base_", "base", "b"] == list(own.columns)
    assert own[answers == 2].equals(of_two[answers == 2])
    difference = of_two.sum(axis=1) - many.model.explain(frame, of=0).sum(axis=1)
    assert np.log(chances[2] / chances[0]).to_numpy() == pytest.approx(difference.to_numpy(), abs=1e-9)
    with pytest.raises(epkit.UsageError, match="of=7 must be one of 0, 1, 2"):
        many.model.explain(frame, of=7)

    assert np.float64 == numbers.model.predict(frame).dtype
    assert numbers.model.predict(frame).to_numpy() == pytest.approx(numbers.model.explain(frame).sum(axis=1).to_numpy())
    with pytest.raises(epkit.UsageError, match="a regression has no probabilities"):
        numbers.model.predict_proba(frame)
    with pytest.raises(epkit.UsageError, match="of=7 is for more than two classes"):
        numbers.model.explain(frame, of=7)


def test_a_training_is_read_again_with_its_model(training, directory, tmp_path):
    rows = pd.DataFrame(columns(20, seed=2))
    for path in ("model", "model.run", "model.run/train.json"):
        again = epkit.load_training(directory / path)
        assert to_document(training.report) == to_document(again.report)
        assert again.model.predict(rows).equals(training.model.predict(rows))

    (tmp_path / "train.json").write_bytes(dumps(to_document(train_reports.bank())))
    with pytest.raises(epkit.UsageError, match="there is only the report of this training"):
        _ = epkit.load_training(tmp_path / "train.json").model


def test_a_training_shows_itself_as_its_report_does(training):
    shown = training._repr_mimebundle_()

    assert shown == training.report._repr_mimebundle_()
    assert "AUC" in shown["text/plain"]
    assert repr(training).startswith("<Training of 'the frame', label 'y', model in ")
    assert (True, False) == (training.passed, training.partial)


def test_a_path_trains_the_model_of_the_command_and_gates_are_judged(directory, monkeypatch):
    pl.DataFrame(columns()).write_parquet(directory / "rows.parquet")
    monkeypatch.chdir(directory)
    found = epkit.train("rows.parquet", "y", out="fromfile", gates="AUC>=0.999999", drop="when", **QUICK)

    assert ("rows.parquet", False) == (found.report.data.path, found.passed)
    assert "when" not in found.model.columns
    assert directory / "fromfile" == found.directory
    with pytest.raises(epkit.UsageError, match="holds a model already"):
        epkit.train("rows.parquet", "y", out="fromfile", **QUICK)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"label": None}, "label is missing: epkit.train(table, label=COLUMN)"),
        ({"table": None}, "table is missing"),
        ({"label": "z"}, '--label "z": the frame has no such column'),
        ({"runs": 0}, "--runs 0: must be from 1 to 10,000"),
        ({"metric": "beauty"}, "--metric beauty: no metric"),
        ({"backend": "moon"}, "backend moon: not one of local, azureml"),
        ({"compute": "c"}, "compute is for backend='azureml'"),
        ({"job": "j"}, "job='j': its table was sent already"),
        ({"table": pd.DataFrame()}, "the frame: there are no rows"),
        ({"table": [1, 2]}, "the rows: list is not known"),
        ({"backend": "azureml"}, "--compute NAME: which compute trains?"),
        ({"backend": "azureml", "compute": "c", "threshold": "f1"}, "--threshold"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_is_refused_and_no_model_is_written(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(epkit.UsageError) as raised:
        epkit.train(**{"table": columns(), "label": "y", **options})

    assert said in str(raised.value)
    assert [] == [path.name for path in tmp_path.iterdir() if path.name != "model.run"]


def test_a_model_of_azure_is_never_opened_and_says_what_to_do(training, tmp_path):
    card = training.model.card | {"model": {"kind": AUTOML_PICKLE}}
    (tmp_path / "card.json").write_bytes(dumps(card))
    (tmp_path / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    found = epkit.Training(train_reports.bank(), tmp_path)

    with pytest.raises(epkit.UsageError, match=r"epkit does not open it: epkit deploy create NAME .*epkit\.run_score"):
        found.model.predict(columns(3))
    assert "text/html" in found._repr_mimebundle_()


def test_an_estimator_of_ones_own_answers_and_has_no_contributions(directory, monkeypatch):
    monkeypatch.chdir(directory)
    (directory / "mine_for_python.py").write_text(
        "from sklearn.neighbors import KNeighborsClassifier\n"
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.impute import SimpleImputer\n"
        "def make():\n    return make_pipeline(SimpleImputer(), KNeighborsClassifier(1))\n"
    )
    g = np.random.default_rng(0)
    spots = pd.DataFrame({"a": g.random(400), "b": g.random(400)})
    spots["y"] = ((spots["a"] * 8).astype(int) + (spots["b"] * 8).astype(int)) % 2 == 0
    found = epkit.train(spots, "y", custom="mine_for_python.py:make", out="own", **QUICK | {"runs": 4})
    if found.report.best.kind != "custom":
        pytest.skip("the estimator was not chosen")

    answers = found.model.predict(spots)
    assert np.bool_ == answers.dtype
    assert 0.9 < (answers == spots["y"]).mean()
    with pytest.raises(epkit.UsageError, match="an estimator of your own, which has no contributions"):
        found.model.explain(spots)


def test_it_works_beside_a_running_loop(directory):
    async def cell():
        return epkit.train(columns(), "y", out=directory / "second", **QUICK)

    assert "y" == asyncio.run(cell()).report.data.label


SCRIPT = """
import epkit
training = epkit.train("rows.csv", label="y", runs=4, workers=2, holdout=0.25)
print(training.model.predict([{"age": 80, "job": "student", "flag": True, "when": "2026-01-05"}])[0])
"""


def test_a_plain_script_needs_no_guard_for_the_processes_that_try_runs(tmp_path):
    pl.DataFrame(columns()).write_csv(tmp_path / "rows.csv")
    (tmp_path / "script.py").write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert (0, "yes\n", "") == (ran.returncode, ran.stdout, ran.stderr)
    assert (tmp_path / "model" / "card.json").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot signal itself there")
@pytest.mark.parametrize("in_loop", [False, True], ids=["alone", "in a running loop"])
def test_ctrl_c_ends_with_the_best_so_far(tmp_path, in_loop, caplog):
    journal = tmp_path / "model.run" / "runs.jsonl"

    def interrupt() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if journal.is_file() and journal.read_bytes().count(b'"state": "done"') >= 2:
                break
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    async def cell():
        return call()

    def call():
        return epkit.train(columns(), "y", out=tmp_path / "model", runs=5000, holdout=0.25, workers=1)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=interrupt)
    thread.start()
    found = asyncio.run(cell()) if in_loop else call()
    thread.join()

    assert found.partial
    assert 0 < sum(run.state == "done" for run in found.report.runs) < 5000
    assert before == signal.getsignal(signal.SIGINT)
    assert ROWS == len(found.model.predict(columns()))
    assert "the model is the best of these" in caplog.text
